"use strict";
(() => {
  // One sample through the graph: a station at a time, marked in the list and in the picture.
  const section = document.getElementById("flow");
  if (!section) return;
  const shapes = [...document.querySelectorAll("svg.graph [data-tensor]")];
  const buttons = Object.fromEntries([...section.querySelectorAll("[data-flow]")].map((one) => [one.dataset.flow, one]));
  const said = section.querySelector(".flow-say");
  let at = -1, timer = 0;
  const stations = () => [...section.querySelectorAll(".flowing.now li")];
  const show = (to) => {
    const all = stations();
    at = Math.max(-1, Math.min(all.length - 1, to));
    all.forEach((one, i) => {
      one.classList.toggle("here", i === at);
      one.classList.toggle("ahead", at >= 0 && i > at);
    });
    const here = at >= 0 ? all[at].dataset.tensor : "";
    const names = here === "loss" ? ["loss", "r", "squares"] : [here];
    for (const shape of shapes) shape.classList.toggle("lit", names.includes(shape.dataset.tensor));
    said.textContent = here ? all[at].querySelector("b").textContent : "";
    if (at >= all.length - 1) stop();
  };
  const stop = () => {
    clearInterval(timer);
    timer = 0;
    buttons.play.setAttribute("aria-pressed", "false");
  };
  const by = { first: () => show(0), back: () => show(at - 1), on: () => show(at + 1) };
  for (const [name, move] of Object.entries(by)) buttons[name].addEventListener("click", () => { stop(); move(); });
  buttons.play.addEventListener("click", () => {
    if (timer) return stop();
    show(at >= stations().length - 1 ? 0 : at + 1);
    timer = setInterval(() => show(at + 1), 1100);
    buttons.play.setAttribute("aria-pressed", "true");
  });
  section.addEventListener("keydown", (event) => {
    const move = { ArrowLeft: "back", ArrowRight: "on" }[event.key];
    if (move) { event.preventDefault(); event.stopPropagation(); by[move](); }
  });
  addEventListener("step", ({ detail }) => {
    stop();
    const flows = [...section.querySelectorAll(".flowing")];
    const before = flows.filter((one) => Number(one.dataset.step) <= Number(detail)).pop();
    if (!section.querySelector(".flowing.now")) (before || flows[0]).classList.add("now");  // a step in brief
    show(-1);
  });
})();
