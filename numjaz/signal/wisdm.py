"""The WISDM 2019 activity key: letters of the published files, names of the classes.

Weiss, Yoneda, Hayajneh, IEEE Access 7:133190, 2019, doi:10.1109/ACCESS.2019.2940729. There is no N.
"""

ACTIVITIES = {
    "A": "walking",
    "B": "jogging",
    "C": "stairs",
    "D": "sitting",
    "E": "standing",
    "F": "typing",
    "G": "brushing teeth",
    "H": "eating soup",
    "I": "eating chips",
    "J": "eating pasta",
    "K": "drinking from cup",
    "L": "eating sandwich",
    "M": "kicking (soccer ball)",
    "O": "playing catch w/ tennis ball",
    "P": "dribbling (basketball)",
    "Q": "writing",
    "R": "clapping",
    "S": "folding clothes",
}
