"""The segmenter that ships: no segmentation weights, only figure against ground inside a box or around a click."""
