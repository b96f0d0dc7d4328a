// Where one was in a video, kept by this browser: to go on there another day.

const KEY = "htdl places";
const MOST = 200; // the oldest are forgotten
const EDGE_SECONDS = 15; // so near to the beginning or the end, one begins anew

export function recall(video) {
  return read().find(([name]) => name === video)?.[1] ?? 0;
}

export function keep(video, time, duration) {
  const others = read().filter(([name]) => name !== video);
  const isInside = time > EDGE_SECONDS && time < duration - EDGE_SECONDS;
  const places = isInside ? [[video, Math.floor(time)], ...others] : others;
  try {
    localStorage.setItem(KEY, JSON.stringify(places.slice(0, MOST)));
  } catch {
    // the browser keeps nothing, by its owner's wish
  }
}

function read() {
  try {
    return JSON.parse(localStorage.getItem(KEY)) ?? [];
  } catch {
    return [];
  }
}
