// The strip under the player: which parts of the file are here, and where one is.

export class Bar {
  constructor(canvas, jump) {
    this.canvas = canvas;
    this.runs = [];
    this.at = null;
    canvas.addEventListener("pointerdown", (event) => {
      const box = canvas.getBoundingClientRect();
      jump(Math.min(1, Math.max(0, (event.clientX - box.left) / box.width)));
    });
    new ResizeObserver(() => this.draw()).observe(canvas);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.draw());
  }

  // `runs`: [from, to] of what is here, as fractions of the file; `at`: the position, null for none.
  show(runs, at) {
    this.runs = runs;
    this.at = at;
    this.draw();
  }

  move(at) {
    this.at = at;
    this.draw();
  }

  draw() {
    const { canvas } = this;
    const ratio = devicePixelRatio || 1;
    const [width, height] = [Math.round(canvas.clientWidth * ratio), Math.round(canvas.clientHeight * ratio)];
    if (canvas.width !== width || canvas.height !== height) [canvas.width, canvas.height] = [width, height];
    const colour = (name) => getComputedStyle(canvas).getPropertyValue(name);
    const pen = canvas.getContext("2d");
    pen.clearRect(0, 0, width, height);
    pen.fillStyle = colour("--here");
    for (const [from, to] of this.runs) {
      pen.fillRect(from * width, 0, Math.max(1, (to - from) * width), height); // a single piece can be seen too
    }
    if (this.at === null) return;
    for (const [name, thick] of [["--ground", 7 * ratio], ["--head", 3 * ratio]]) {
      pen.fillStyle = colour(name);
      pen.fillRect(this.at * (width - 3 * ratio) + 1.5 * ratio - thick / 2, 0, thick, height);
    }
  }
}
