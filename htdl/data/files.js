// The list of a job's videos, one of which is played.

import { set } from "/static/text.js";
import * as words from "/static/words.js";

export class Files {
  // `choose(index)`: a person wants that one.
  constructor(section, choose) {
    Object.assign(this, { section, choose });
    this.list = section.querySelector("ol");
    this.more = section.querySelector("#more");
  }

  show({ files, file, more }) {
    const { list } = this;
    this.section.hidden = files.length < 2;
    while (list.children.length > files.length) list.lastChild.remove();
    const names = words.shortened(files.map((one) => one.name));
    files.forEach((one, i) => fill(list.children[i] || list.appendChild(this.row()), one, names[i], one.index === file));
    this.more.hidden = !more;
    set(this.more, `and ${more} more`);
  }

  row() {
    const item = document.createElement("li");
    const button = item.appendChild(document.createElement("button"));
    for (const name of ["name", "size"]) button.appendChild(document.createElement("span")).className = name;
    button.firstChild.dir = "auto";
    button.addEventListener("click", () => this.choose(Number(item.dataset.index)));
    return item;
  }
}

function fill(item, file, called, isCurrent) {
  const button = item.firstChild;
  const [name, size] = button.children;
  item.dataset.index = file.index;
  set(name, words.plain(called));
  name.title = words.plain(file.name);
  set(size, `${file.wanted ? words.percent(file.progress) : "not chosen"} · ${words.size(file.size)}`);
  button.disabled = !file.wanted;
  if (isCurrent) button.setAttribute("aria-current", "true");
  else button.removeAttribute("aria-current");
}
