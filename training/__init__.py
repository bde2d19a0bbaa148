"""Training of the networks that come with the product, from MIDI files to weights; no part of the product.

    python -m training CORPUS --work FOLDER --out offline_prep/alignment/ear.npz

Needs the extra `train` (PyTorch, mido) and the program fluidsynth with soundfonts; nothing of it is needed to run, test
or install the product.  `score.py` reads MIDI, `timing.py` makes performances of it, `arrangement.py` gives a part to a
piano, `sound.py` renders, `render.py` makes annotated pairs of recordings of it, `dataset.py` draws windows of them,
`model.py` is the network and its loss, `train.py` trains, `export.py` writes the weights, `report.py` judges them.

May import: errors, alignment, audio.
"""
