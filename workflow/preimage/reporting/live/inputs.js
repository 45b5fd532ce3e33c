// The controls of one input, with room for its charts.

/** Return {box, plots, show}: the element, where its charts go, and a function that shows a value, and whether a
 * condition on it is broken. `move` takes the value that a user chooses. */
function inputCell(i, j, move) {
  const plots = element("div", { class: "plots" }),
    unit = i.unit ? element("small", {}, ` ${i.unit}`) : null;
  const { parts, show } = i.categories ? choice(i, j, move) : slider(i, j, move, plots);
  const label = element("label", { for: `input-${j}` }, i.label, unit);
  const box = element("div", { class: "input" }, label, element("div", { class: "set" }, ...parts), plots);
  return {
    box,
    plots,
    show(value, wrong) {
      show(value);
      box.classList.toggle("wrong", wrong);
    },
  };
}

function choice(i, j, move) {
  const options = i.categories.map((text, k) => element("option", { value: k }, text));
  const change = () => move(Number(select.value));
  const select = element("select", { id: `input-${j}`, change, disabled: i.fixed !== null }, ...options);
  return {
    parts: [select],
    show: (value) => {
      select.value = value;
    },
  };
}

/** Return a slider, a field for a number, and a click into the charts, which all set the input. */
function slider(i, j, move, plots) {
  const fixed = i.fixed !== null,
    ends = { min: i.low, max: i.high, step: i.whole ? 1 : "any", disabled: fixed };
  const slide = element("input", {
    type: "range",
    "aria-label": i.label,
    ...ends,
    input: () => move(snapped(i, Number(slide.value))),
  });
  const number = element("input", {
    type: "number",
    id: `input-${j}`,
    ...ends,
    change: () => number.value !== "" && move(Number(number.value)),
  });
  plots.addEventListener("click", ({ clientX }) => {
    const { left, width } = plots.getBoundingClientRect(),
      from = left + plots.gutter;
    const share = clip((clientX - from) / (left + width - from), 0, 1);
    if (!fixed) move(snapped(i, i.low + share * (i.high - i.low)));
  });
  const show = (value) => {
    slide.value = value;
    number.value = Number(value.toPrecision(6));
  };
  return { parts: [slide, number], show };
}
