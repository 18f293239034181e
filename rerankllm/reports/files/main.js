// Everything, put together.
function drawAll() {
  if (!measures().includes(state.measure)) state.measure = measures()[0];
  drawSummary();
  drawCost();
  drawDeltas();
  drawPairs();
  drawConsistency();
  drawRobust();
  drawAttacks();
  drawBrowser();
  const lines = [...part().document.notes, ...part().notes];
  fill(
    room("notes"),
    el(
      "ul",
      { class: "notes" },
      lines.map((line) => el("li", {}, line)),
    ),
  );
}

function drawTools() {
  const tools = document.getElementById("tools");
  const again = (change) => (value) => {
    change(value);
    Object.assign(browse, { place: null });
    drawTools();
    drawAll();
    remember();
    if (finder.hits) search();
  };
  fill(
    tools,
    DATA.parts.length > 1
      ? choice(
          "Collection",
          DATA.parts.map((each, i) => [i, each.name]),
          state.part,
          again((value) => {
            state.part = Number(value);
            state.axis = null;
          }),
        )
      : null,
    measures().length > 1
      ? choice(
          "Measure",
          measures().map((name) => [name, name]),
          state.measure,
          again((value) => {
            state.measure = value;
          }),
        )
      : null,
    theme,
  );
}

const theme = themeButton();
document.getElementById("find").addEventListener("submit", (event) => event.preventDefault());
const open = recall();
drawFinder();
drawAll();
drawTools();
if (finder.text || finder.filter !== "all") search();
if (open) document.getElementById("browser").scrollIntoView();
