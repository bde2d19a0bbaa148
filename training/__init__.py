"""Training of a network for the map between the recordings, from MIDI files to weights; no part of the product.

    python -m training CORPUS --work FOLDER --out FILE.npz

Needs the extra `train` (PyTorch, mido) and the program fluidsynth with soundfonts; nothing of it is needed to run, test
or install the product.  `score.py` reads MIDI, `timing.py` makes performances of it, `arrangement.py` gives a part to a
piano, `sound.py` renders, `render.py` makes annotated pairs of recordings of it, `folds.py` keeps composers and sounds
apart, `dataset.py` draws windows, `model.py` is the network and its loss, `train.py` trains, `ear.py` is the network
without PyTorch, `report.py` judges it on what was kept apart.  `piano_templates.py` renders the notes of
`offline_prep/separation/piano_templates.npz`.  docs/research-log.md has what came of it.
"""
