// The page: asks the daemon once a second, shows what it says, and plays.
// Names come from strangers: they enter the page as textContent only.

import { Bar } from "/static/bar.js";
import { Player } from "/static/player.js";
import * as words from "/static/words.js";

const POLL_MS = 1000;
const PATIENCE_MS = 5000; // for an answer of a daemon on this machine
const STEP_SECONDS = 10;

const by = (id) => document.getElementById(id);
const video = by("video");
const wish = new URLSearchParams(location.hash.slice(1)); // #file=3&t=125
let chosen = wish.has("file") ? Number(wish.get("file")) : null; // index; null: the daemon's choice
let status = null; // the daemon's last word
let silence = null; // why there is none: "away" or "gone"
let hasStarted = false; // by itself, once the file was ready
let isPolling = false;

const player = new Player(video, showProblem);
const bar = new Bar(by("bar"), (share) => player.jump(share * video.duration));

// --- the daemon ---

async function poll() {
  if (isPolling || document.hidden) return;
  isPolling = true;
  try {
    const asked = chosen;
    const query = asked === null ? "" : `?file=${asked}`;
    const answer = await fetch(`status${query}`, { cache: "no-store", signal: AbortSignal.timeout(PATIENCE_MS) });
    const news = answer.ok && (await answer.json());
    if (asked !== chosen) return; // another file was chosen meanwhile
    if (news) heard(news);
    else silence = answer.status === 404 ? "gone" : "away";
  } catch {
    silence = "away"; // no connection, or too slow: it may be starting again
  } finally {
    isPolling = false;
  }
  show();
}

function heard(news) {
  status = news;
  silence = null;
  player.hasIndex = news.is_whole ? true : (news.readiness?.index_ok ?? null);
  if (!player.url) openFile();
  if (!hasStarted && player.url && (news.readiness?.ready ?? true)) {
    hasStarted = true;
    player.play();
  }
}

// The file is opened once its index is here, or when nobody knows whether it is.
function openFile() {
  const file = status.files.find((one) => one.index === status.file);
  if (!file || !file.wanted) return;
  if (status.readiness && !(status.readiness.ready || player.hasIndex)) return;
  showSubtitles();
  player.open(file.url, Number(wish.get("t")) || 0, file.type.startsWith("audio/"));
  wish.delete("t");
}

function choose(index) {
  if (status && index === status.file) return player.play();
  chosen = index;
  history.replaceState(null, "", `#file=${index}`);
  hasStarted = false;
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
  document.title = status.name;
  by("title").textContent = status.name;
  by("progress").textContent = words.percent(status.progress);
  by("speed").textContent = words.speed(status.download_speed);
  by("peers").textContent = status.peers;
  by("eta").textContent = status.progress >= 100 ? "–" : words.duration(status.eta_seconds);
  showReadiness();
  showFiles();
  bar.show(status.runs, position());
}

function showReadiness() {
  const { readiness } = status;
  const still = status.is_whole ? "" : words.standstill(status);
  const reason = still || readiness?.reason || (status.is_whole ? "the whole file is here" : status.detail);
  set(by("reason"), words.sentence(reason || "It is on its way"));
  const isReady = status.is_whole || Boolean(readiness?.ready);
  const isSlow = Boolean(still) || (isReady && !status.is_whole && readiness.plays_through !== "yes");
  by("light").className = isSlow ? "slow" : isReady ? "ready" : "";
}

function showNotice() {
  let text = "";
  if (silence === "gone") text = "This download is not there any more.";
  else if (silence === "away") text = "The daemon does not answer. Trying again…";
  else if (!status) text = "Asking the daemon…";
  else if (!by("problem").hidden && video.error) text = "";
  else if (!player.url) text = words.standstill(status) || words.sentence(`not yet: ${reasonToWait()}`);
  else if (player.isWaiting) text = words.waiting(status);
  else if (player.isRefused) text = "Press play";
  by("notice").hidden = !text || (silence === "away" && isPlaying());
  set(by("notice"), text);
}

const reasonToWait = () => status.readiness?.reason || status.detail || "its files are not known yet";
const isPlaying = () => !video.paused && video.readyState >= 3;

function showFiles() {
  by("files").hidden = status.files.length < 2;
  const list = by("files").querySelector("ol");
  while (list.children.length > status.files.length) list.lastChild.remove();
  status.files.forEach((file, i) => showFile(list.children[i] || list.appendChild(row()), file));
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

function showFile(item, file) {
  const button = item.firstChild;
  const [name, size] = button.children;
  item.dataset.index = file.index;
  set(name, file.name);
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
    return code && new Intl.DisplayNames(["en"], { type: "language" }).of(code);
  } catch {
    return ""; // RangeError: letters that name no language
  }
}

function showProblem(problem) {
  const box = by("problem");
  box.hidden = !problem;
  if (!problem) return;
  const file = status?.files.find((one) => one.index === status.file);
  const kind = file?.name.includes(".") ? file.name.split(".").pop().slice(0, 5).toUpperCase() : "";
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

const position = () => (player.isOpen && video.duration ? player.time / video.duration : null);

function showPosition() {
  bar.move(position());
  const slider = by("bar");
  if (!player.isOpen || !Number.isFinite(video.duration)) return;
  slider.setAttribute("aria-valuemax", Math.floor(video.duration));
  slider.setAttribute("aria-valuenow", Math.floor(player.time));
  slider.setAttribute("aria-valuetext", `${words.clock(player.time)} of ${words.clock(video.duration)}`);
}

const KEYS = {
  " ": () => player.toggle(),
  ArrowLeft: () => player.jump(video.currentTime - STEP_SECONDS),
  ArrowRight: () => player.jump(video.currentTime + STEP_SECONDS),
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
document.addEventListener("visibilitychange", poll);
setInterval(poll, POLL_MS);
poll();
