// What the page says.  Sizes in bytes, times in seconds; a letter counts in 1024s, as everywhere in htdl.

export function size(bytes) {
  let power = 0;
  while (bytes >= 1024 && power < 5) {
    bytes /= 1024;
    power += 1;
  }
  if (power === 0) return `${Math.round(bytes)} B`;
  return `${bytes < 100 ? (Math.floor(bytes * 10) / 10).toFixed(1) : Math.floor(bytes)} ${" KMGTP"[power]}iB`;
}

export const speed = (bytes) => (bytes > 0 ? `${size(bytes)}/s` : "–");

export function duration(seconds) {
  if (!(seconds >= 0)) return "–";
  const [s, m, h] = [Math.floor(seconds) % 60, Math.floor(seconds / 60) % 60, Math.floor(seconds / 3600)];
  if (h) return `${h} h ${m} min`;
  return m ? `${m} min ${s} s` : `${s} s`;
}

export function clock(seconds) {
  const [s, m, h] = [Math.floor(seconds) % 60, Math.floor(seconds / 60) % 60, Math.floor(seconds / 3600)];
  const two = (number) => String(number).padStart(2, "0");
  return h ? `${h}:${two(m)}:${two(s)}` : `${m}:${two(s)}`;
}

// A stranger's text without what would turn other text around it: control characters and direction marks.
export const plain = (text) => text.replace(/[\p{Cc}\u200e\u200f\u202a-\u202e\u2066-\u2069]/gu, "");

// What a file's name ends in: "AVI"; nothing where it has no such ending.
export const ending = (name) => /\.([a-z0-9]{1,5})$/i.exec(name)?.[1].toUpperCase() ?? "";

// Paths without the words that all of them begin and end with: of episodes what tells them apart.
export function shortened(paths) {
  if (paths.length < 2) return paths;
  const split = paths.map((path) => path.split(/([/._ -]+)/));
  const least = Math.min(...split.map((one) => one.length));
  const same = (at) => split.every((one) => one.at(at) === split[0].at(at));
  let [first, last] = [0, 0];
  while (first < least && same(first)) first += 1;
  while (first + last < least && same(-1 - last)) last += 1;
  const cut = split.map((one) => one.slice(first, one.length - last).join("").replace(/^[/._ -]+|[/._ -]+$/g, ""));
  return cut.every(Boolean) ? cut : paths.map((path) => path.split("/").at(-1));
}

export function sentence(text) {
  const whole = text.charAt(0).toUpperCase() + text.slice(1);
  return /[.!?…]$/.test(whole) ? whole : `${whole}.`;
}

export function percent(share) {
  return share >= 100 ? "all" : `${Math.floor(share)} %`; // never 100 before it is all
}

export const SILENCE = {
  away: "The daemon does not answer. Trying again…",
  gone: "This download is not there any more.",
};

// What is wrong with the job itself, so that what is missing will not come; "" while it goes on.
export function standstill(status) {
  if (status.status === "FAILED") return `The download failed: ${status.error_message || "no reason is known"}`;
  if (status.status === "CANCELLED") return "The download was cancelled.";
  if (status.status === "PAUSED" || status.wish === "PAUSE") return "The download is paused.";
  if (status.status === "COMPLETED" && status.file === null) return "Its files were removed.";
  return "";
}

// What is waited for, when the player has nothing to show.
export function waiting(status) {
  if (status.is_whole) return "Loading…";
  const still = standstill(status);
  if (still) return still;
  if (status.blocked_by) return `Waiting for the download: ${status.detail || "nothing comes at the moment"}`;
  const peers = `${status.peers} ${status.peers === 1 ? "peer" : "peers"}`;
  return `Waiting for the download: ${peers}, ${status.download_speed > 0 ? speed(status.download_speed) : "nothing comes at the moment"}`;
}

// What is waited for while what is made is played: up to `made` seconds, null where that is not known.
export function coming(status, made, time) {
  const still = standstill(status);
  if (still) return still;
  if (made === 0) return "The first seconds are converted…";
  if (made === null || time < made) return "Loading…";
  return `Made up to ${clock(made)}; it goes on as more is converted`;
}

// Why one that does not run waits.
function turn(one) {
  if (one?.error_code === "disk_full") return "The disk is full: it is converted once there is room.";
  if (one?.error_message) return `It could not be converted, and is tried again: ${sentence(one.error_message)}`;
  return "It waits for its turn to be converted.";
}

// Of the conversion, "" where there is nothing to say.
export function conversion({ conversion: one, is_whole: isWhole }) {
  if (one?.status === "FAILED") return `The conversion failed: ${sentence(one.error_message || "no reason is known")}`;
  if (!one?.reason || one.effort === "none" || one.status === "DONE") return "";
  if (one.status === "WAITING") return `${sentence(one.reason)} ${turn(one)}`;
  const left = one.eta_seconds >= 0 ? `, ${duration(one.eta_seconds)} left` : "";
  const how = isWhole ? "It is converted" : "It is converted as it arrives";
  return `${sentence(one.reason)} ${how}: ${percent(one.progress)}${left}.`;
}

// Of a video that cannot be watched yet.
export function making({ conversion: one }) {
  if (one?.status !== "RUNNING") return turn(one).replace(/\.$/, "");
  return `It can be watched once it is converted: ${percent(one.progress)}`;
}

const ELSEWHERE = "mpv and VLC play it as it is, also while it downloads:";

// Why this browser does not play the file as it is: a headline, and what can be done.
export const PROBLEMS = {
  blind: ["This browser plays only the sound: it has no decoder for this picture.", ELSEWHERE],
  silent: [
    "Silent: the browser has no decoder for this sound.",
    `Often it is AC-3 or DTS; or the video has no sound at all. ${ELSEWHERE}`,
  ],
  unopenable: (kind) => [`This browser cannot open this kind of file${kind ? ` (${kind})` : ""}.`, ELSEWHERE],
  broken: (why) => [
    "What is converted of it could not be played here.",
    `The file itself is tried instead${why ? ` (${why})` : ""}. ${ELSEWHERE}`,
  ],
  damaged: [
    "The browser stopped here: it could not decode what it read.",
    "mpv and VLC forgive more than a browser does, and may play on:",
  ],
};
