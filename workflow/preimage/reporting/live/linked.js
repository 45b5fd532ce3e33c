// Candidates in figures and tables: pointing at one names it and shows it wherever it is, clicking puts it into the
// explorer. With the keyboard a figure is one stop: arrows go from candidate to candidate, from left to right, and Enter
// or the space bar puts one into the explorer.

class Linked {
  /** Find what stands for candidates: `data-picks` of a figure's group has their places in the whole table, one for all
   * that the group draws, or one for each of its marks. */
  constructor(explorer) {
    this.explorer = explorer;
    this.marks = new Map();
    this.figures = new Map();
    const rows = new Map(Array.from(unpack(explorer.study.page.candidates.places), (place, k) => [place, k]));
    for (const group of document.querySelectorAll("[data-picks]")) {
      const picks = group.dataset.picks.split(",").map((place) => rows.get(Number(place)));
      const marks = picks.length > 1 ? group.querySelectorAll("use") : [group];
      if (marks.length === picks.length) marks.forEach((mark, k) => this.link(mark, picks[k]));
    }
    this.name = document.body.appendChild(element("div", { class: "named", hidden: true }));
    for (const [figure, stops] of this.figures) this.reach(figure, stops);
  }

  /** Let the keyboard reach the marks of a figure, or the rows of a table, which stays one. What has the role of an image
   * has no parts that can be reached. */
  reach(figure, stops) {
    const drawn = figure.tagName === "svg";
    if (drawn) figure.setAttribute("role", "group");
    let at = 0,
      sorted = false;
    const mark = () => stops[at].mark;
    mark().setAttribute("tabindex", "0");
    const go = (to) => {
      mark().setAttribute("tabindex", "-1");
      at = Math.max(0, Math.min(stops.length - 1, to));
      mark().setAttribute("tabindex", "0");
      mark().focus();
    };
    figure.addEventListener("focusin", ({ target }) => {
      at = Math.max(0, stops.findIndex((stop) => stop.mark === target));
      const { right, bottom } = target.getBoundingClientRect();
      this.point(stops[at].k, { clientX: right, clientY: bottom });
      if (drawn) target.setAttribute("role", "button");
      if (drawn) target.setAttribute("aria-label", this.name.textContent);
    });
    figure.addEventListener("focusout", ({ target }) => this.leave(stops.find((stop) => stop.mark === target).k));
    figure.addEventListener("keydown", (event) => {
      const steps = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1, Home: -Infinity, End: Infinity };
      if (event.key === "Enter" || event.key === " ") this.explorer.show(stops[at].k);
      else if (event.key in steps) {
        if (!sorted) at = this.sort(stops, mark());
        sorted = true;
        go(at + steps[event.key]);
      } else return;
      event.preventDefault();
    });
  }

  /** Sort marks from left to right, as they are shown; return where one of them is then. */
  sort(stops, mark) {
    const left = new Map(stops.map((stop) => [stop.mark, stop.mark.getBoundingClientRect().left]));
    stops.sort((one, other) => left.get(one.mark) - left.get(other.mark));
    return stops.findIndex((stop) => stop.mark === mark);
  }

  link(mark, k) {
    if (k === undefined || !this.explorer.knows(k)) return;
    if (!this.marks.has(k)) this.marks.set(k, []);
    this.marks.get(k).push(mark);
    mark.classList.add("pick");
    mark.addEventListener("pointerenter", (event) => this.point(k, event));
    mark.addEventListener("pointerleave", () => this.leave(k));
    mark.addEventListener("click", () => this.explorer.show(k));
    const figure = mark.closest("svg") ?? mark.closest("table");
    if (!this.figures.has(figure)) this.figures.set(figure, []);
    this.figures.get(figure).push({ mark, k });
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
