// Plays what is still being made: a growing playlist of fragments of MP4 (RFC 8216), through Media Source
// Extensions (W3C).  Chromium's own player gives up a playlist that grows; only Safari's is good at it.

import { parse } from "/static/playlist.js";

const LOOK_MS = 1000; // between two looks at a playlist that grows
const EAGER_MS = 200; // while nothing of it can be played yet
const KEEP_MS = 20000; // at one that is complete: the daemon keeps what somebody asks for
const GONE_MS = 15000; // after which what is not there is not waited for
const AHEAD_SECONDS = 60;
const BEHIND_SECONDS = 60; // kept where the browser has no room for all
const SLACK_SECONDS = 0.5; // by which the playlist and the fragments may tell another time
const EDGE_SECONDS = 0.1; // so near to the end of what is here, playing stops
const GAP_SECONDS = 1; // without picture, which is stepped over
const SAFARI = "application/vnd.apple.mpegurl";

const Source = globalThis.MediaSource ?? globalThis.ManagedMediaSource; // an iPhone has the second only

export function canPlay(video, type) {
  return Source ? Source.isTypeSupported(type) : Boolean(video.canPlayType(SAFARI));
}

// Whether there is a picture at this time, and a moment after it.
export function holds(video, time) {
  return ranges(video.buffered).some(([from, to]) => from - SLACK_SECONDS <= time && time < to - EDGE_SECONDS);
}

export class Hls {
  // `url` and `type` of the playlist; `duration` of the whole in seconds, null where it is not known.
  // `broken(why)`: the browser does not take it.  What is not there yet, or not any more, is asked for again.
  constructor(video, { url, type, duration }, broken) {
    Object.assign(this, { video, type, broken, whole: duration || 0 });
    this.url = new URL(url, location.href).href;
    this.list = { init: null, parts: [], isComplete: false };
    this.tried = new Set(); // parts that were appended, which the browser may hold elsewhere than they say
    this.goneSince = null; // the daemon says that there is no such thing, since then
    this.ending = new AbortController();
    this.wake = () => {};
    const { signal } = this.ending;
    video.addEventListener("seeking", () => (this.tried.clear(), this.wake()), { signal });
    if (Source) this.attach();
    else video.src = this.url;
  }

  // Up to where it was made, in seconds; null where only the browser knows.
  get made() {
    return Source ? (this.list.parts.at(-1)?.end ?? 0) : null;
  }

  // Whether nobody knows yet how long the whole is.
  get isGrowing() {
    return !this.list.isComplete && this.video.duration < this.made + 1;
  }

  get pace() {
    return this.video.readyState < 3 && !document.hidden ? EAGER_MS : LOOK_MS;
  }

  close() {
    this.ending.abort();
    this.wake();
    this.video.disableRemotePlayback = false;
    if (this.object) URL.revokeObjectURL(this.object);
  }

  attach() {
    this.media = new Source();
    this.object = URL.createObjectURL(this.media);
    this.video.disableRemotePlayback = true; // else an iPhone opens nothing
    this.media.addEventListener("sourceopen", () => this.run(), { once: true });
    this.video.src = this.object;
  }

  async run() {
    try {
      this.buffer = this.media.addSourceBuffer(this.type); // in "segments" mode, each at the time it tells
      while (!this.ending.signal.aborted) await this.turn();
    } catch (error) {
      if (!this.ending.signal.aborted) this.broken(error.message);
    }
  }

  async turn() {
    if (!(await this.look())) return this.miss();
    const next = this.missing();
    if (next) return this.take(next);
    this.stepOver();
    if (this.list.isComplete && this.isAtEnd() && this.media.readyState === "open") this.media.endOfStream();
    return this.rest();
  }

  miss() {
    const isGone = this.goneSince !== null && performance.now() - this.goneSince > GONE_MS;
    if (isGone && !holds(this.video, this.video.currentTime)) throw new Error("it is not there any more");
    return this.rest();
  }

  rest() {
    return new Promise((resolve) => {
      this.wake = resolve;
      setTimeout(resolve, this.pace);
    });
  }

  // Read the playlist if it is time to.  Whether there is one.
  async look() {
    const { list, video } = this;
    const age = performance.now() - (this.lookedAt ?? -Infinity);
    const isIdle = document.hidden && video.paused;
    if (list.init && (isIdle || age < (list.isComplete ? KEEP_MS : this.pace))) return true;
    const answer = await this.fetch(this.url);
    if (!answer) return false;
    this.lookedAt = performance.now();
    const news = parse(new TextDecoder().decode(answer), this.url);
    const isAnother = !list.init || news.parts.length < list.parts.length; // begun anew after a crash
    if (isAnother && !(await this.begin(news))) return false;
    this.list = news;
    this.stretch(news);
    return true;
  }

  async begin(news) {
    const init = news.init && (await this.fetch(news.init));
    if (!init) return false;
    this.stretch(news); // before the fragments do: they say that it never ends
    await this.change(() => this.buffer.appendBuffer(init));
    this.tried.clear();
    return true;
  }

  // The next part that is to be played and is not here.
  missing() {
    const time = this.video.currentTime;
    const isNear = ({ start, end }) => end + SLACK_SECONDS > time && start < time + AHEAD_SECONDS;
    return this.list.parts.find((part) => isNear(part) && !this.tried.has(part.url) && !this.has(part));
  }

  has({ start, end }) {
    return holds(this.video, (start + end) / 2);
  }

  async take(part) {
    const data = await this.fetch(part.url);
    if (!data) {
      this.lookedAt = undefined; // the playlist tells whether it is made anew
      return this.rest();
    }
    try {
      await this.change(() => this.buffer.appendBuffer(data));
      this.tried.add(part.url);
    } catch (error) {
      if (error.name !== "QuotaExceededError") throw error;
      if (!(await this.makeRoom())) await this.rest(); // until more of it was played
    }
  }

  async makeRoom() {
    const now = this.video.currentTime;
    const spare = [[0, now - BEHIND_SECONDS], [now + AHEAD_SECONDS, Infinity], [0, now - BEHIND_SECONDS / 6]];
    const found = spare.find(([from, to]) => ranges(this.video.buffered).some(([a, b]) => a < to && from < b));
    if (!found) return false;
    await this.change(() => this.buffer.remove(...found));
    this.tried.clear();
    return true;
  }

  stretch({ parts }) {
    const length = Math.max(parts.at(-1)?.end ?? 0, this.whole);
    const { duration } = this.media;
    if (this.media.readyState === "open" && !(duration >= length)) this.media.duration = length;
  }

  stepOver() {
    const time = this.video.currentTime;
    const runs = ranges(this.video.buffered);
    if (runs.some(([from, to]) => from <= time && time < to - EDGE_SECONDS)) return;
    const next = runs.find(([from]) => time < from && from < time + GAP_SECONDS);
    if (next) this.video.currentTime = next[0] + 0.01;
    else this.tried.clear(); // the browser may have thrown away what it had
  }

  isAtEnd() {
    const last = this.list.parts.at(-1);
    return this.has(last) || this.tried.has(last.url);
  }

  // A change of the buffer, once it is done; one at a time.
  change(act) {
    return new Promise((resolve, reject) => {
      const { buffer, ending } = this;
      const told = new AbortController();
      const signal = AbortSignal.any([told.signal, ending.signal]);
      const done = (settle) => (told.abort(), settle());
      buffer.addEventListener("updateend", () => done(resolve), { signal });
      buffer.addEventListener("error", () => done(() => reject(new Error("it could not be decoded"))), { signal });
      ending.signal.addEventListener("abort", () => done(resolve), { signal: told.signal });
      try {
        act();
      } catch (error) {
        done(() => reject(error));
      }
    });
  }

  // The bytes; null where they cannot be had now.
  async fetch(url) {
    try {
      const answer = await fetch(url, { cache: "no-store", signal: this.ending.signal });
      this.goneSince = answer.status === 404 ? (this.goneSince ?? performance.now()) : null;
      return answer.ok ? await answer.arrayBuffer() : null;
    } catch {
      return null; // no daemon answers, or the page needs it no more
    }
  }
}

function ranges(buffered) {
  return [...Array(buffered.length).keys()].map((i) => [buffered.start(i), buffered.end(i)]);
}
