// Candidates in figures and tables: pointing at one names it and shows it wherever it is, clicking puts it into the
// explorer.

class Linked {
  /** Find what stands for candidates: `data-picks` of a figure's group has their places in the whole table, one for all
   * that the group draws, or one for each of its marks. */
  constructor(explorer) {
    this.explorer = explorer;
    this.marks = new Map();
    const rows = new Map(Array.from(unpack(explorer.study.page.candidates.places), (place, k) => [place, k]));
    for (const group of document.querySelectorAll("[data-picks]")) {
      const picks = group.dataset.picks.split(",").map((place) => rows.get(Number(place)));
      const marks = picks.length > 1 ? group.querySelectorAll("use") : [group];
      if (marks.length === picks.length) marks.forEach((mark, k) => this.link(mark, picks[k]));
    }
    this.name = document.body.appendChild(element("div", { class: "named", hidden: true }));
  }

  link(mark, k) {
    if (k === undefined || !this.explorer.knows(k)) return;
    if (!this.marks.has(k)) this.marks.set(k, []);
    this.marks.get(k).push(mark);
    mark.classList.add("pick");
    mark.addEventListener("pointerenter", (event) => this.point(k, event));
    mark.addEventListener("pointerleave", () => this.leave(k));
    mark.addEventListener("click", () => this.explorer.show(k));
  }

  point(k, { clientX, clientY }) {
    this.marks.get(k).forEach((mark) => mark.classList.add("picked"));
    this.name.textContent = this.explorer.named(k);
    this.name.hidden = false;
    const { width, height } = this.name.getBoundingClientRect(),
      room = 12;
    const left = Math.min(clientX + room, innerWidth - width - room);
    this.name.style.left = `${Math.max(room, left)}px`;
    this.name.style.top = `${clientY + height + 2 * room > innerHeight ? clientY - height - room : clientY + room}px`;
  }

  leave(k) {
    this.marks.get(k).forEach((mark) => mark.classList.remove("picked"));
    this.name.hidden = true;
  }
}
