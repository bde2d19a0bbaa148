"""Training of the network that hears the live piano and the full mix (`follower.inference.embedding`).

    python -m training.live CORPUS --samples FOLDER --work FOLDER --out FILE.npz

`render.py` makes annotated pairs of a live piano and a full mix, with `sampled_piano.py` as one of the pianos,
`dataset.py` reads them as the product hears them, `model.py` is the network and its losses, `train.py` trains,
`export.py` hands the weights over, `report.py` judges them on pairs kept apart and fits their weight.
docs/model-card.md has what came of it.
"""
