"""All hostile and broken zip archives, torch containers, safetensors and npz files, by name.

Each is made by hand, byte by byte where it must be; none needs a framework. Run by the tests; harmless
to run by hand. What would run code would make a file named ``canary`` beside the attack.
"""

from __future__ import annotations

import bomb_attacks
import npz_attacks
import pickle_attacks
import safetensors_attacks
import storage_attacks
import zip_attacks
from attack_table import Attacks

ATTACKS: Attacks = {}
for _module in (bomb_attacks, zip_attacks, pickle_attacks, storage_attacks, safetensors_attacks, npz_attacks):
    assert not ATTACKS.keys() & _module.ATTACKS.keys()
    ATTACKS |= _module.ATTACKS
