"""A tune of the demo: a WAV file of plucked strings."""

import struct

RATE = 11_025
NOTE_S = 0.25
_NOTES = (
    "D4 A4 D5 F#5 A5 F#5 D5 A4 B3 F#4 B4 D5 F#5 D5 B4 F#4 G3 D4 G4 B4 D5 B4 G4 D4 A3 E4 A4 C#5 E5 C#5 A4 E4 D4".split()
)
_NAMES = "C C# D D# E F F# G G# A A# B".split()


def _frequency(note: str) -> float:
    """Of a note, in hertz: A4 is 440."""
    return 440.0 * 2 ** ((_NAMES.index(note[:-1]) - 9) / 12 + int(note[-1]) - 4)


def _plucked(frequency: float, samples: int) -> list[float]:
    """A string by Karplus and Strong: noise that goes round and gets softer."""
    length = max(2, round(RATE / frequency))
    string = [((n * 7919) % 251) / 125 - 1 for n in range(length)]
    out = []
    for n in range(samples):
        place = n % length
        out.append(string[place])
        string[place] = 0.498 * (string[place] + string[(place + 1) % length])
    return out


def tune() -> bytes:
    """Eight seconds and a bit, one channel, eight bits."""
    step = round(RATE * NOTE_S)
    sound = [0.0] * (step * (len(_NOTES) + 4))
    for place, note in enumerate(_NOTES):
        for n, value in enumerate(_plucked(_frequency(note), step * 4)):
            sound[place * step + n] += value * 0.3
    data = bytes(min(255, max(0, round(128 + 127 * value))) for value in sound)
    form = struct.pack("<4sIHHIIHH", b"fmt ", 16, 1, 1, RATE, RATE, 1, 8)
    chunks = form + struct.pack("<4sI", b"data", len(data)) + data
    return struct.pack("<4sI4s", b"RIFF", len(chunks) + 4, b"WAVE") + chunks
