// What a playlist of fragments says (RFC 8216).

// `parts` have their `start` and `end` in seconds, by what the playlist says of each.
export function parse(text, base) {
  const list = { init: null, parts: [], isComplete: false };
  let [time, length] = [0, 0];
  for (const line of text.split("\n").map((one) => one.trim())) {
    const init = /^#EXT-X-MAP:.*URI="([^"]+)"/.exec(line);
    if (init) list.init = new URL(init[1], base).href;
    else if (line.startsWith("#EXTINF:")) length = Number.parseFloat(line.slice(8)) || 0;
    else if (line === "#EXT-X-ENDLIST") list.isComplete = true;
    else if (line && !line.startsWith("#")) {
      list.parts.push({ url: new URL(line, base).href, start: time, end: time + length });
      time += length;
    }
  }
  return list;
}
