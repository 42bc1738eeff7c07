"""The sample library: short original pieces, composed by the code here and rendered with a General MIDI SoundFont.

theory (chords, voice leading) -> score (notes, parts, humanising, MIDI) -> pieces (the music) -> render (Ogg, tags).
"""
