// The <video> element, made patient: what is missing comes later, what breaks off is taken up again.
//
// A file that is still arriving answers slowly, and a request that waited too long is cut off by the server:
// MediaError 2.  It is opened again at the same time.  Before the file's index is here, or while no daemon
// answers, the same thing comes as MediaError 4, which else means that the browser has no demuxer for it.
// And a browser whose requests find nobody may ask no more and say nothing: so `reopen`, when there is news.

import { Hls } from "/static/hls.js";

const CHECK_SECONDS = 2; // of playing, after which a decoder that exists has given something
const FIRST_RETRY_MS = 500;
const LAST_RETRY_MS = 8000;
const TRIES = 2; // of opening what can be opened
const SEEK_MS = 250; // between two seeks while the first is under way: Chromium 156 hangs on some within 5 ms

export class Player {
  // `told(problem, why)`: "blind", "silent", "unopenable", "damaged"; "broken" of what is made meanwhile, with
  // the reason; or null when there is none (any more).
  // `canOpen()`: a promise of whether the daemon serves it now, and what a browser needs to begin is here.
  constructor(video, told, canOpen) {
    Object.assign(this, { video, told, canOpen });
    this.url = null;
    this.feed = null; // what is made of it meanwhile, where that is played
    this.time = 0; // where one is, or wants to be
    this.target = null; // of a seek that has not begun
    this.soughtAt = 0;
    this.duration = NaN; // as far as it was ever known
    this.isWanted = false; // to play
    this.isRefused = false; // the browser wants a person to press play
    video.addEventListener("loadedmetadata", () => this.opened());
    video.addEventListener("durationchange", () => this.grew());
    video.addEventListener("timeupdate", () => this.moved());
    video.addEventListener("seeking", () => this.noteTime());
    video.addEventListener("seeked", () => this.seek());
    video.addEventListener("play", () => ([this.isWanted, this.isRefused] = [true, false]));
    video.addEventListener("pause", () => video.error || (this.isWanted = false));
    video.addEventListener("error", () => this.failed());
  }

  // `hls`: the playlist of what is made of it meanwhile, as in `Hls`, to be played in its place.
  open(url, time, isAudio, hls = null) {
    clearTimeout(this.timer);
    const duration = hls && (hls.duration ?? Math.max(this.duration || 0, time + 1)); // a seek goes no farther
    this.hls = hls && { ...hls, duration };
    Object.assign(this, { url, time, target: null, isAudio, duration: NaN, retries: 0, strikes: 0, hasOpened: false, isChecked: false });
    this.told(null);
    this.video.controls = true;
    this.load();
  }

  close() {
    clearTimeout(this.timer);
    this.feed?.close();
    this.feed = this.url = null;
    this.isOpen = false;
    this.video.controls = false; // nothing to control
    this.video.removeAttribute("src");
    this.video.load();
  }

  async play() {
    this.isWanted = true;
    try {
      await this.video.play();
    } catch (error) {
      if (error.name !== "NotAllowedError") return; // another load came between, or "error" tells the rest
      this.isWanted = false;
      this.isRefused = true;
    }
  }

  toggle() {
    if (this.video.paused) this.play();
    else this.video.pause();
  }

  jump(seconds) {
    if (!(this.duration > 0)) return; // nothing was opened yet
    this.time = this.target = Math.min(this.duration, Math.max(0, seconds));
    this.seek();
  }

  step(seconds) {
    this.jump((this.isOpen ? (this.target ?? this.video.currentTime) : this.time) + seconds);
  }

  seek() {
    clearTimeout(this.seekTimer);
    if (this.target === null || !this.isOpen) return; // else it begins there, once it is open
    const wait = this.video.seeking ? this.soughtAt + SEEK_MS - performance.now() : 0;
    if (wait > 0) {
      this.seekTimer = setTimeout(() => this.seek(), wait);
      return;
    }
    this.soughtAt = performance.now();
    this.video.currentTime = this.target;
    this.target = null;
  }

  get isWaiting() {
    const { video } = this;
    if (!this.url) return false;
    return video.seeking || Boolean(video.error) || (this.isWanted && !video.ended && video.readyState < 3);
  }

  // What stood in the way is gone: ask again at once, if there is something to wait for.
  reopen() {
    if (this.feed) this.feed.wake();
    else if (this.isWaiting && this.hasOpened) this.load();
  }

  load() {
    clearTimeout(this.timer);
    this.isOpen = false;
    this.feed?.close();
    this.feed = this.hls && new Hls(this.video, this.hls, (why) => this.told("broken", why));
    if (!this.feed) this.video.src = this.url;
    if (this.isWanted) this.play();
  }

  opened() {
    this.isOpen = this.hasOpened = true;
    this.duration = this.video.duration;
    if (this.time > 0) this.jump(this.time);
  }

  grew() {
    if (this.isOpen && Number.isFinite(this.video.duration)) this.duration = this.video.duration;
  }

  noteTime() {
    if (this.isOpen && this.target === null) this.time = this.video.currentTime;
  }

  moved() {
    this.noteTime();
    if (this.video.readyState >= 3) this.retries = 0;
    if (this.isChecked || this.feed || played(this.video) < CHECK_SECONDS) return;
    this.isChecked = true;
    this.told(lack(this.video, this.isAudio));
  }

  async failed() {
    if (!this.video.error) return; // another was opened meanwhile
    const { url } = this;
    const { code, message } = this.video.error;
    this.isOpen = false;
    if (this.feed) return this.told("broken", message);
    if (code === MediaError.MEDIA_ERR_DECODE) return this.told("damaged");
    const isStrike = code === MediaError.MEDIA_ERR_SRC_NOT_SUPPORTED && !this.hasOpened && (await this.canOpen());
    if (url !== this.url) return; // another was opened meanwhile
    this.strikes += isStrike ? 1 : 0;
    if (this.strikes < TRIES) return this.retryLater();
    this.video.controls = false;
    this.told("unopenable");
  }

  retryLater() {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.retry(), Math.min(LAST_RETRY_MS, FIRST_RETRY_MS * 2 ** this.retries));
    this.retries += 1;
  }

  async retry() {
    const { url } = this;
    const isPossible = await this.canOpen();
    if (url !== this.url || !url) return;
    if (isPossible) this.load();
    else this.retryLater();
  }
}

function played(video) {
  let seconds = 0;
  for (let i = 0; i < video.played.length; i += 1) seconds += video.played.end(i) - video.played.start(i);
  return seconds;
}

// Neither browser tells of a track without a decoder by an event; it is only never there.
function lack(video, isAudio) {
  if (!isAudio && video.videoWidth === 0) return "blind";
  if (video.webkitAudioDecodedByteCount === 0 || video.mozHasAudio === false) return "silent";
  return null;
}
