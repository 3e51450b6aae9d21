// COCO's run lengths: column by column, runs of 0 and 1 in turn; compressed as text with 5 bits a character.

export function runs({ counts }) {
  if (Array.isArray(counts)) return counts;
  const found = [];
  for (let at = 0; at < counts.length;) {
    let value = 0, shift = 0, more = true;
    while (more) {
      const code = counts.charCodeAt(at++) - 48;
      value |= (code & 31) << shift;
      more = Boolean(code & 32);
      shift += 5;
      if (!more && code & 16) value |= -1 << shift;
    }
    found.push(found.length > 2 ? value + found[found.length - 2] : value);
  }
  return found;
}

// Paints the mask into `pixels` (an ImageData of the mask's size) with an [r, g, b, a] colour.
export function paint(rle, pixels, [r, g, b, a]) {
  const [height, width] = rle.size;
  let at = 0, isOn = false;
  for (const count of runs(rle)) {
    if (isOn) {
      for (let i = at; i < at + count; i++) {
        const to = 4 * ((i % height) * width + Math.floor(i / height));
        pixels.data.set([r, g, b, a], to);
      }
    }
    at += count;
    isOn = !isOn;
  }
}
