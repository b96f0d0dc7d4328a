// The page: asks the daemon once a second, shows what it says, and plays.
// Names come from strangers: they enter the page as textContent only.

import { Bar } from "/static/bar.js";
import * as place from "/static/place.js";
import { Player } from "/static/player.js";
import * as words from "/static/words.js";

const POLL_MS = 1000;
const PATIENCE_MS = 5000; // for an answer of a daemon on this machine
const STEP_SECONDS = 10;
const BY_ITSELF = "Not ready yet; it starts by itself"; // why is said below the player

const by = (id) => document.getElementById(id);
const video = by("video");
const wish = new URLSearchParams(location.hash.slice(1)); // #file=3&t=125
let chosen = /^\d+$/.test(wish.get("file")) ? Number(wish.get("file")) : null; // index; null: the daemon's choice
let status = null; // the daemon's last word
let silence = null; // why there is none: "away" or "gone"
let hasStarted = false; // by itself, once the file was ready
let polling = null; // the question under way

const player = new Player(video, showProblem, canOpen);
const bar = new Bar(by("bar"), (share) => player.jump(share * player.duration));

// --- the daemon ---

function poll() {
  if (document.hidden && status) return null;
  polling ??= ask().finally(() => (polling = null));
  return polling;
}

async function ask() {
  const asked = chosen;
  try {
    const query = asked === null ? "" : `?file=${asked}`;
    const answer = await fetch(`status${query}`, { cache: "no-store", signal: AbortSignal.timeout(PATIENCE_MS) });
    const news = answer.ok && (await answer.json());
    if (asked !== chosen) return; // another file was chosen meanwhile
    const stoodStill = !isServed();
    silence = answer.ok ? null : answer.status === 404 ? "gone" : "away";
    if (news) heard(news);
    if (stoodStill && isServed()) player.reopen();
  } catch {
    silence = "away"; // no connection, or too slow: it may be starting again
  }
  show();
}

function heard(news) {
  status = news;
  if (!player.url) openFile();
  begin();
}

// The verdict is about the file's beginning; elsewhere the browser's own has to do.
function begin() {
  const isReady = status.readiness.ready || (player.time > 0 && video.readyState === video.HAVE_ENOUGH_DATA);
  if (hasStarted || !player.url || !isReady) return;
  hasStarted = true;
  player.play();
}

async function canOpen() {
  await poll();
  return isServed() && hasIndex();
}

const isServed = () => Boolean(status) && !silence && !words.standstill(status);
const hasIndex = () => status.is_whole || (status.readiness.index_ok ?? status.readiness.ready);

function openFile() {
  const file = playing();
  if (!file || !hasIndex()) return;
  showSubtitles();
  const from = wish.has("t") ? Number(wish.get("t")) || 0 : place.recall(file.url);
  wish.delete("t");
  player.open(file.url, from, file.type.startsWith("audio/"));
}

const playing = () => status?.files.find((one) => one.index === status.file);

function choose(index) {
  if (status && index === status.file) return player.play();
  chosen = index;
  history.replaceState(null, "", `#file=${index}`);
  hasStarted = false;
  keepPlace();
  showProblem(null);
  player.close();
  return poll();
}

// --- what is shown ---

function show() {
  if (status) showJob();
  showNotice();
}

function showJob() {
  document.title = words.plain(status.name);
  set(by("title"), words.plain(status.name));
  by("progress").textContent = words.percent(playing()?.progress ?? status.progress);
  by("speed").textContent = words.speed(status.download_speed);
  by("peers").textContent = status.peers;
  set(by("left"), status.files.length > 1 ? "Left of all" : "Left");
  by("eta").textContent = status.progress >= 100 ? "–" : words.duration(status.eta_seconds);
  showReadiness();
  showFiles();
  by("unknown").hidden = status.runs !== null;
  bar.show(status.runs ?? [], position());
}

function showReadiness() {
  const { readiness } = status;
  const still = status.is_whole ? "" : words.standstill(status);
  set(by("reason"), silence ? words.SILENCE[silence] : still || words.sentence(readiness.reason));
  const isSlow = Boolean(silence || still) || (readiness.ready && readiness.plays_through !== "yes");
  by("light").className = isSlow ? "slow" : readiness.ready ? "ready" : "";
}

function showNotice() {
  const text = notice();
  by("notice").hidden = !text;
  set(by("notice"), text);
}

function notice() {
  if (isPlaying() || (video.error && !by("problem").hidden)) return "";
  if (silence) return words.SILENCE[silence];
  if (!status) return "Asking the daemon…";
  if (!player.url) return words.standstill(status) || BY_ITSELF;
  if (player.isWaiting) return words.waiting(status);
  if (player.isRefused) return "Press play";
  return hasStarted ? "" : BY_ITSELF;
}

const isPlaying = () => !video.paused && video.readyState >= 3;

function showFiles() {
  by("files").hidden = status.files.length < 2;
  const list = by("files").querySelector("ol");
  while (list.children.length > status.files.length) list.lastChild.remove();
  const names = words.shortened(status.files.map((file) => file.name));
  status.files.forEach((file, i) => showFile(list.children[i] || list.appendChild(row()), file, names[i]));
  by("more").hidden = !status.more;
  set(by("more"), `and ${status.more} more`);
}

function row() {
  const item = document.createElement("li");
  const button = item.appendChild(document.createElement("button"));
  for (const name of ["name", "size"]) button.appendChild(document.createElement("span")).className = name;
  button.firstChild.dir = "auto";
  button.addEventListener("click", () => choose(Number(item.dataset.index)));
  return item;
}

function showFile(item, file, called) {
  const button = item.firstChild;
  const [name, size] = button.children;
  item.dataset.index = file.index;
  set(name, words.plain(called));
  name.title = words.plain(file.name);
  set(size, `${file.wanted ? words.percent(file.progress) : "not chosen"} · ${words.size(file.size)}`);
  button.disabled = !file.wanted;
  if (file.index === status.file) button.setAttribute("aria-current", "true");
  else button.removeAttribute("aria-current");
}

function showSubtitles() {
  video.replaceChildren(
    ...status.subtitles.map((subtitle) => {
      const track = document.createElement("track");
      Object.assign(track, { kind: "subtitles", src: subtitle.url, srclang: subtitle.language });
      track.label = languageName(subtitle.language) || subtitle.label;
      return track;
    }),
  );
}

function languageName(code) {
  try {
    return code && new Intl.DisplayNames(["en"], { type: "language", fallback: "none" }).of(code);
  } catch {
    return ""; // RangeError: letters that name no language
  }
}

function showProblem(problem) {
  const box = by("problem");
  box.hidden = !problem;
  showNotice();
  if (!problem) return;
  const kind = words.ending(playing()?.name ?? ""); // it may have been removed meanwhile
  const [headline, text] = problem === "unopenable" ? words.PROBLEMS.unopenable(kind) : words.PROBLEMS[problem];
  set(box.querySelector("h2"), headline);
  const link = document.createElement("a");
  Object.assign(link, { href: "job.m3u", download: "", textContent: "open it in mpv or VLC" });
  box.querySelector("p").replaceChildren(`${text} `, link, ".");
}

// The live regions are read out when they change, so they change only when the words do.
function set(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

// --- position and keys ---

const position = () => (player.duration > 0 ? player.time / player.duration : null);

function showPosition() {
  bar.move(position());
  const slider = by("bar");
  if (!Number.isFinite(player.duration)) return;
  slider.setAttribute("aria-valuemax", Math.floor(player.duration));
  slider.setAttribute("aria-valuenow", Math.floor(player.time));
  slider.setAttribute("aria-valuetext", `${words.clock(player.time)} of ${words.clock(player.duration)}`);
}

function keepPlace() {
  if (player.duration > 0) place.keep(player.url, player.time, player.duration);
}

const KEYS = {
  " ": () => player.toggle(),
  ArrowLeft: () => player.step(-STEP_SECONDS),
  ArrowRight: () => player.step(STEP_SECONDS),
  f: () => (document.fullscreenElement ? document.exitFullscreen() : video.requestFullscreen?.()),
  m: () => (video.muted = !video.muted),
};

function pressed(event) {
  if (event.ctrlKey || event.altKey || event.metaKey || event.shiftKey) return;
  if (event.key === " " && event.target.closest("button, a")) return; // it presses that
  const act = KEYS[event.key];
  if (!act) return;
  event.preventDefault();
  event.stopPropagation(); // the player's own controls would do it once more
  act();
}

addEventListener("keydown", pressed, { capture: true });
for (const name of ["timeupdate", "seeking", "durationchange"]) video.addEventListener(name, showPosition);
for (const name of ["waiting", "playing", "seeking", "seeked", "pause", "play", "error", "emptied"]) {
  video.addEventListener(name, showNotice);
}
video.addEventListener("canplaythrough", begin);
document.addEventListener("visibilitychange", poll);
addEventListener("pagehide", keepPlace);
video.addEventListener("pause", keepPlace);
setInterval(poll, POLL_MS);
poll();
