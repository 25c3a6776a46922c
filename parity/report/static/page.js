"use strict";
(() => {
  const root = document.documentElement, all = (css, from = document) => [...from.querySelectorAll(css)];
  root.classList.add("js");

  // The language: the address may ask for one (?lang=es), else the browser's own, else the file's.
  // Numbers of tables and formulas stand there once: their decimal sign is that of the language, code stays.
  const points = [], OTHERS = "pre, script, style, textarea, .foreign, [lang=en]";
  const decimals = (lang) => {
    if (lang === "es" && !points.length) {
      const nodes = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
      while (nodes.nextNode()) {
        const node = nodes.currentNode, text = node.data;
        const comma = text.replace(/(?<=\d), (?=[-−+…\d])/g, "; ").replace(/(?<![\w.])(\d+)\.(\d+)(?!\.?\d)/g, "$1,$2");
        if (comma !== text && /\d\.\d/.test(text) && !node.parentElement.closest(OTHERS)) points.push([node, text, comma]);
      }
    }
    for (const [node, point, comma] of points) node.data = lang === "es" ? comma : point;
  };
  const speak = (lang) => {
    root.lang = lang;
    decimals(lang);
    document.title = root.dataset[lang === "es" ? "titleEs" : "titleEn"];
  };
  const choices = all("[name=language]");
  const wanted = [new URLSearchParams(location.search).get("lang"), ...(navigator.languages || [])];
  const spoken = wanted.map((tag) => choices.find((choice) => choice.value === (tag || "").slice(0, 2).toLowerCase()));
  const first = spoken.find(Boolean);
  if (first) first.checked = true;
  for (const choice of choices) {
    choice.addEventListener("change", () => speak(choice.value));
    if (choice.checked) speak(choice.value);
  }

  // Steps: a slider, the arrow keys, and an address for each. What belongs to a step is marked so.
  const steps = all(".step"), slider = document.getElementById("slider"), cards = all(".row");
  const ofStep = all(".of-step");
  const show = (at) => {
    const place = Math.max(0, Math.min(steps.length - 1, at));
    steps.forEach((step, i) => step.classList.toggle("current", i === place));
    slider.value = place;
    const number = steps[place].dataset.step;
    slider.setAttribute("aria-valuetext", number);
    document.getElementById("slider-value").textContent = number;
    for (const part of ofStep) part.classList.toggle("now", part.dataset.step === number);
    for (const card of cards) {
      const now = card.querySelector(".numbers.now");
      const none = card.querySelector(".none");
      if (none) none.hidden = Boolean(now);
      for (const mark of ["born", "inherited"]) card.classList.toggle(mark, Boolean(now?.classList.contains(mark)));
      if (now?.matches(".born, .inherited")) card.open = true;
    }
    dispatchEvent(new CustomEvent("step", { detail: number }));
  };
  const reach = (id) => {
    const found = document.getElementById(id);
    for (let up = found; up; up = up.parentElement) if (up.tagName === "DETAILS") up.open = true;
    found?.scrollIntoView();
  };
  const address = () => {
    const wanted = /^#step=(\d+)$/.exec(location.hash);
    const at = wanted ? steps.findIndex((step) => step.dataset.step === wanted[1]) : -1;
    if (at >= 0) show(at);
    const inside = /^#(t(\d+)-\w+|card-\w+)$/.exec(location.hash);
    if (inside?.[2]) show(steps.findIndex((step) => step.dataset.step === inside[2]));
    if (inside) reach(inside[1]);
  };
  const go = (at) => {
    show(at);
    history.replaceState(null, "", "#step=" + steps[slider.value].dataset.step);
  };
  if (slider && steps.length) {
    show(Math.max(0, steps.findIndex((step) => "first" in step.dataset)));
    address();
    addEventListener("hashchange", address);
    slider.addEventListener("input", () => go(Number(slider.value)));
    addEventListener("keydown", (event) => {
      const move = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
      const busy = event.target.closest("input, pre, .scroll, .drawing, .stages, #flow, .formula");
      if (move && !busy && !event.ctrlKey && !event.metaKey && !event.altKey) {
        event.preventDefault();
        go(Number(slider.value) + move);
      }
    });
  }
  for (const button of all("[data-open]")) {
    button.addEventListener("click", () => { for (const card of cards) card.open = button.dataset.open === "true"; });
  }
  for (const link of all('a[href^="#card-"]')) {
    link.addEventListener("click", () => reach(link.hash.slice(1)));
  }

  // One part of the step alone, in the rows and in the graph.
  const buttons = all(".stages button");
  for (const button of buttons) {
    button.addEventListener("click", () => {
      const stage = button.dataset.stage;
      for (const other of buttons) other.setAttribute("aria-pressed", String(other === button));
      for (const part of all(".stage")) part.classList.toggle("off", stage !== "" && part.dataset.stage !== stage);
      const made = new Set(all(`.step.current .stage[data-stage="${stage}"] [data-tensor]`).map((row) => row.dataset.tensor));
      for (const shape of all("svg.graph [data-tensor]")) {
        shape.classList.toggle("dim", stage !== "" && !made.has(shape.dataset.tensor));
      }
    });
  }

  // Predict: right when the number, rounded to the digits that were typed, is what was typed.
  const unit = (text) => {
    const [mantissa, exponent = "0"] = text.toLowerCase().split("e");
    return 10 ** (Number(exponent) - (mantissa.split(".")[1] || "").length);
  };
  for (const question of all(".question")) {
    const { answer, slips } = JSON.parse(question.dataset.question);
    const field = question.querySelector(".guess");
    const check = () => {
      const text = field.value.trim().replace(",", ".").replace("−", "-"), typed = Number(text);
      const near = (value) => Math.abs(value - typed) <= unit(text) / 2 && typed !== 0;
      const slip = slips.findIndex(near);
      const told = text === "" || Number.isNaN(typed) ? "nan" : near(answer) ? "right" : slip >= 0 ? "slip-" + slip : "wrong";
      for (const line of all("[data-answer]", question)) line.hidden = line.dataset.answer !== told;
    };
    question.querySelector(".check").addEventListener("click", check);
    field.addEventListener("keydown", (event) => { if (event.key === "Enter") check(); });
  }
})();
