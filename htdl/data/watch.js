// The page: asks the daemon once a second, shows what it says, and plays.
// Names come from strangers: they enter the page as textContent only.

import { Bar } from "/static/bar.js";
import { Files } from "/static/files.js";
import { canPlay, holds } from "/static/hls.js";
import { onKeys } from "/static/keys.js";
import * as place from "/static/place.js";
import { Player } from "/static/player.js";
import { set } from "/static/text.js";
import * as words from "/static/words.js";

const POLL_MS = 1000;
const EAGER_MS = 125; // at first, for who opens the page waits for a picture,
const EAGER_UNTIL_MS = 30000; // but not for long, for a magnet may take minutes
const PATIENCE_MS = 5000; // for an answer of a daemon on this machine
const STEP_SECONDS = 10;
const JUDGE_MS = 2000; // for the daemon to find out whether a file plays as it is
const BY_ITSELF = "Not ready yet; it starts by itself"; // why is said below the player

const by = (id) => document.getElementById(id);
const video = by("video");
const wish = new URLSearchParams(location.hash.slice(1)); // #file=3&t=125
let chosen = /^\d+$/.test(wish.get("file")) ? Number(wish.get("file")) : null; // index; null: the daemon's choice
let status = null; // the daemon's last word
let silence = null; // why there is none: "away" or "gone"
let hasStarted = false; // by itself, once the file was ready
let polling = null; // the question under way
let opened = null; // index of the file in the player
let indexSince = null; // when its index was first here
let problem = null; // that is shown
let asked = null; // the playlist that a person chose,
let spurned = null; // and the one that this browser did not take

const player = new Player(video, told, canOpen);
const files = new Files(by("files"), choose);
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
  change();
  begin();
}

// The verdict is about the file's beginning; elsewhere the browser's own has to do.
function begin() {
  const isReady = player.feed || status.readiness.ready || (player.time > 0 && video.readyState === video.HAVE_ENOUGH_DATA);
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

// How the file is to be played now: "source", what is at its address; "hls", what is made of it meanwhile;
// "wait", for it is made and cannot be watched before.
function way() {
  const { hls, play } = status;
  const isTaken = hls && hls.url !== spurned && canPlay(video, hls.type);
  if (isTaken && (play === "hls" || hls.url === asked)) return "hls";
  return play === "wait" ? "wait" : "source";
}

// Take another way, unless that would interrupt who watches.
function change() {
  if (!player.url) return openFile();
  const isOther = way() !== (player.feed ? "hls" : "source");
  if (player.feed) return isOther && isStuck() && openFile();
  const isElse = isOther || playing()?.url !== player.url; // the result has an address of its own
  return isElse && (problem || !video.played.length) && openFile();
}

const isStuck = () => !video.ended && video.readyState < 3 && !holds(video, player.time);

function openFile() {
  const [file, how] = [playing(), way()];
  if (!file) return;
  if (how === "wait") return player.url && closeFile();
  if (how === "source" && (!hasIndex() || isJudged())) return;
  showSubtitles();
  const from = player.url ? player.time : wish.has("t") ? Number(wish.get("t")) || 0 : place.recall(placeOf(file.index));
  wish.delete("t");
  opened = file.index;
  player.open(file.url, from, file.type.startsWith("audio/"), how === "hls" ? status.hls : null);
}

function isJudged() {
  indexSince ??= performance.now();
  const { conversion } = status;
  const isOpen = conversion?.status === "WAITING" && !conversion.effort;
  return isOpen && performance.now() - indexSince < JUDGE_MS;
}

function closeFile() {
  keepPlace();
  showProblem(null);
  player.close();
}

const placeOf = (index) => location.pathname + index;

function told(trouble, why) {
  if (trouble !== "broken") return showProblem(trouble);
  spurned = player.hls.url;
  openFile();
  if (player.feed) player.close(); // there is nothing else to open yet
  return showProblem(way() === "wait" ? null : trouble, why);
}

const playing = () => status?.files.find((one) => one.index === status.file);

function choose(index) {
  if (status && index === status.file) return player.play();
  chosen = index;
  history.replaceState(null, "", `#file=${index}`);
  hasStarted = false;
  asked = spurned = indexSince = null;
  closeFile();
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
  if (player.url) showSubtitles();
  showConversion();
  files.show(status);
  const runs = player.feed ? madeRuns() : status.runs;
  by("unknown").hidden = runs !== null;
  bar.show(runs ?? [], position());
}

function madeRuns() {
  const { made } = player.feed;
  return made > 0 && player.duration > 0 ? [[0, Math.min(1, made / player.duration)]] : [];
}

function showConversion() {
  const text = words.conversion(status);
  by("conversion").hidden = !text;
  set(by("conversion"), text);
  const { conversion, hls } = status;
  const isMade = ["WAITING", "RUNNING"].includes(conversion?.status) && conversion.effort !== "none";
  by("converted").hidden = !isMade || !hls || hls.url === spurned || !canPlay(video, hls.type);
}

function showReadiness() {
  const { readiness } = status;
  const still = status.is_whole ? "" : words.standstill(status);
  const verdict = way() === "wait" ? words.making(status) : readiness.reason;
  set(by("reason"), silence ? words.SILENCE[silence] : still || words.sentence(verdict));
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
  if (!player.url) return words.standstill(status) || (way() === "wait" ? words.making(status) : BY_ITSELF);
  if (player.isWaiting) return player.feed ? words.coming(status, player.feed.made, player.time) : words.waiting(status);
  if (player.isRefused) return "Press play";
  return hasStarted ? "" : BY_ITSELF;
}

const isPlaying = () => !video.paused && video.readyState >= 3;

// A track stays while the daemon tells it, and is read again when its note says that there is more in it.
function showSubtitles() {
  const names = status.subtitles.map(({ language, label }) => languageName(language) || label);
  const old = new Map([...video.children].map((track) => [track.dataset.url, track]));
  status.subtitles.forEach(({ url, language, label, note }, i) => {
    const track = old.get(url) ?? document.createElement("track");
    const isAlone = names.filter((name) => name === names[i]).length === 1;
    track.label = isAlone ? names[i] : `${names[i]} (${label})`;
    const src = `${url}?${encodeURIComponent(note)}`; // the note is there for the browser alone
    if (track.getAttribute("src") !== src) Object.assign(track, { src, srclang: language, kind: "subtitles" });
    if (!old.delete(url)) video.append(track);
    track.dataset.url = url;
  });
  for (const track of old.values()) track.remove();
}

function languageName(code) {
  try {
    return code && new Intl.DisplayNames(["en"], { type: "language", fallback: "none" }).of(code);
  } catch {
    return ""; // RangeError: letters that name no language
  }
}

function showProblem(trouble, why) {
  problem = trouble;
  const box = by("problem");
  box.hidden = !problem;
  showNotice();
  if (!problem) return;
  const kind = words.ending(playing()?.name ?? ""); // it may have been removed meanwhile
  const said = words.PROBLEMS[problem];
  const [headline, text] = typeof said === "function" ? said(problem === "broken" ? why : kind) : said;
  set(box.querySelector("h2"), headline);
  const link = document.createElement("a");
  Object.assign(link, { href: "job.m3u", download: "", textContent: "open it in mpv or VLC" });
  box.querySelector("p").replaceChildren(`${text} `, link, ".");
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
  const end = player.feed?.isGrowing ? Infinity : player.duration;
  if (player.duration > 0) place.keep(placeOf(opened), player.time, end);
}

onKeys({
  " ": () => player.toggle(),
  ArrowLeft: () => player.step(-STEP_SECONDS),
  ArrowRight: () => player.step(STEP_SECONDS),
  f: () => (document.fullscreenElement ? document.exitFullscreen() : video.requestFullscreen?.()),
  m: () => (video.muted = !video.muted),
});
for (const name of ["timeupdate", "seeking", "durationchange"]) video.addEventListener(name, showPosition);
for (const name of ["waiting", "playing", "seeking", "seeked", "pause", "play", "error", "emptied"]) {
  video.addEventListener(name, showNotice);
}
video.addEventListener("canplaythrough", begin);
video.addEventListener("seeking", () => status && change());
by("converted").addEventListener("click", () => {
  asked = status.hls?.url ?? null;
  openFile();
  player.play();
});
document.addEventListener("visibilitychange", poll);
addEventListener("pagehide", keepPlace);
video.addEventListener("pause", keepPlace);
setInterval(poll, POLL_MS);
setInterval(() => hasStarted || performance.now() > EAGER_UNTIL_MS || poll(), EAGER_MS);
poll();
