// Bringing a page to life.

function download(name, text) {
  const url = URL.createObjectURL(new Blob(["\ufeff", text], { type: "text/csv;charset=utf-8" }));
  element("a", { href: url, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(url), 10000);
}

/** Show the buttons that carry something, and let them act with it. */
function enable(name, act) {
  for (const button of document.querySelectorAll(`button[data-${name}]`)) {
    button.hidden = false;
    button.addEventListener("click", () => act(button.dataset));
  }
}

function begin() {
  const page = JSON.parse(document.getElementById("live-data").textContent),
    root = document.getElementById("explorer");
  root.hidden = false;
  const explorer = new Explorer(root, studyOf(page));
  enable("open", ({ open, on }) => {
    explorer.open(open, on);
    root.scrollIntoView({ behavior: "smooth" });
  });
  enable("candidates", ({ candidates }) => download(candidates, csv(explorer.columns)));
  return new Linked(explorer);
}
