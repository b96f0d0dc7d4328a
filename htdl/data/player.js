// The <video> element, made patient: what is missing comes later, what breaks off is taken up again.
//
// A file that is still arriving answers slowly, and a request that waited too long is cut off by the server:
// MediaError 2.  It is opened again at the same time.  MediaError 4 before the file's index is here is the
// same thing; after that it means that the browser has no demuxer for it.

const CHECK_SECONDS = 2; // of playing, after which a decoder that exists has given something
const FIRST_RETRY_MS = 500;
const LAST_RETRY_MS = 8000;
const TRIES = 4; // to open a file of which nobody knows whether its index is here

export class Player {
  // `told(problem)`: "blind", "silent", "unopenable", "damaged", or null when there is none (any more).
  constructor(video, told) {
    this.video = video;
    this.told = told;
    this.url = null;
    this.time = 0; // where one is, or wants to be
    this.isWanted = false; // to play
    this.isRefused = false; // the browser wants a person to press play
    this.hasIndex = null; // the file can be opened with what is here; null: not known
    this.isAudio = false;
    this.failures = 0;
    this.timer = 0;
    video.addEventListener("loadedmetadata", () => this.opened());
    video.addEventListener("timeupdate", () => this.moved());
    video.addEventListener("seeking", () => this.noteTime());
    video.addEventListener("play", () => ([this.isWanted, this.isRefused] = [true, false]));
    video.addEventListener("pause", () => video.error || (this.isWanted = false));
    video.addEventListener("error", () => this.failed());
  }

  open(url, time, isAudio) {
    clearTimeout(this.timer);
    Object.assign(this, { url, time, isAudio, failures: 0, isOpen: false, isChecked: false });
    this.told(null);
    this.load();
  }

  close() {
    clearTimeout(this.timer);
    this.url = null;
    this.isOpen = false;
    this.video.removeAttribute("src");
    this.video.load();
  }

  async play() {
    this.isWanted = true;
    try {
      await this.video.play();
    } catch (error) {
      if (error.name !== "NotAllowedError") return; // AbortError: another load came between; "error" tells the rest
      this.isWanted = false;
      this.isRefused = true;
    }
  }

  toggle() {
    if (this.video.paused) this.play();
    else this.video.pause();
  }

  jump(seconds) {
    if (!this.isOpen) return;
    this.video.currentTime = Math.min(this.video.duration || 0, Math.max(0, seconds));
  }

  get isWaiting() {
    const { video } = this;
    if (!this.url) return false;
    return video.seeking || Boolean(video.error) || (this.isWanted && !video.ended && video.readyState < 3);
  }

  load() {
    this.isOpen = false;
    this.video.src = this.url;
    this.video.load();
    if (this.isWanted) this.play();
  }

  opened() {
    this.isOpen = true;
    if (this.time > 0) this.video.currentTime = this.time;
  }

  noteTime() {
    if (this.isOpen) this.time = this.video.currentTime;
  }

  moved() {
    this.noteTime();
    if (this.video.readyState >= 3) this.failures = 0;
    if (this.isChecked || played(this.video) < CHECK_SECONDS) return;
    this.isChecked = true;
    this.told(lack(this.video, this.isAudio));
  }

  failed() {
    const { code } = this.video.error;
    this.failures += 1;
    if (code === MediaError.MEDIA_ERR_DECODE) this.told("damaged");
    else if (code === MediaError.MEDIA_ERR_SRC_NOT_SUPPORTED && this.isHopeless()) this.told("unopenable");
    else this.retryLater();
  }

  isHopeless() {
    return this.hasIndex === true || (this.hasIndex === null && this.failures >= TRIES);
  }

  retryLater() {
    clearTimeout(this.timer);
    const wait = Math.min(LAST_RETRY_MS, FIRST_RETRY_MS * 2 ** (this.failures - 1));
    this.timer = setTimeout(() => this.url && this.load(), wait);
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
