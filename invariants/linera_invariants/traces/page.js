"use strict";
(() => {
  const { trace, lanes, meanings, gap } = JSON.parse(document.getElementById("trace").textContent);
  const steps = trace.events.filter((event) => event.event === "step");
  const blocks = new Map(trace.blocks.map((block) => [block.id, block]));
  const rows = [...document.querySelectorAll(".rows > li")];
  const rowOf = new Map(rows.filter((row) => row.matches(".step")).map((row) => [Number(row.dataset.step), row]));
  const find = (id) => document.getElementById(id);
  let now = 0;

  /* Text always becomes a text node: nothing in a file is markup. */
  function make(tag, properties, ...children) {
    const made = Object.assign(document.createElement(tag), properties);
    made.append(...children.filter((child) => child !== null && child !== ""));
    return made;
  }

  // --- The state of a chain at a validator after so many steps -------------------------------------------------

  const key = (at, chain) => JSON.stringify([at, chain]);

  function fieldsAfter(count, at, chain) {
    const start = trace.initial.find((cell) => cell.at === at && cell.chain === chain);
    const fields = new Map(Object.entries(start ? start.fields : {}));
    for (const step of steps.slice(0, count))
      for (const change of step.changes)
        if (key(change.at, change.chain) === key(at, chain))
          for (const field of change.fields) fields.set(field.name, field.after);
    return fields;
  }

  const shown = (text) => text || "–";

  function changed(before, after) {
    return make("td", {}, make("del", {}, shown(before)), " → ", make("ins", {}, shown(after)));
  }

  function showState() {
    const [at, chain] = [find("validator").value, find("chain").value];
    const [old, current] = [fieldsAfter(Math.max(0, now - 1), at, chain), fieldsAfter(now, at, chain)];
    const table = make("table", {});
    for (const [name, meaning] of meanings) {
      const [before, after] = [old.get(name) ?? "", current.get(name) ?? ""];
      const cell = before === after ? make("td", {}, shown(after)) : changed(before, after);
      table.append(make("tr", { className: before === after ? "" : "changed" }, make("th", { scope: "row", title: meaning }, name), cell));
    }
    find("state").replaceChildren(current.size ? table : make("p", { className: "soft" }, `${at} knows nothing of chain ${chain}.`));
  }

  function follow(step) {
    if (!find("follow").checked || !step) return;
    const place = step.changes[0] ?? step;
    choose("validator", place.at);
    choose("chain", place.chain);
  }

  function choose(id, value) {
    const select = find(id);
    if ([...select.options].some((option) => option.value === value)) select.value = value;
  }

  // --- The current step ----------------------------------------------------------------------------------------

  function list(title, items) {
    return items.length ? make("div", {}, make("p", { className: "soft" }, title), make("ul", {}, ...items.map((item) => make("li", {}, item)))) : "";
  }

  const route = (message) => (message.from === undefined ? "" : ` (chain ${message.from} to chain ${message.to})`);
  const sayMessage = (message) => `${words[message.kind]}: ${message.what}${route(message)}`;
  const words = { vote: "vote", certificate: "certificate", update: "messages", confirm: "acknowledgement" };

  function showChange(change) {
    const lines = change.fields.map((field) => make("tr", {}, make("th", { scope: "row" }, field.name), changed(field.before, field.after)));
    return make("table", {}, make("caption", {}, `${change.at}, chain ${change.chain}`), ...lines);
  }

  function describe(step) {
    const block = blocks.get(step.block);
    return [
      make("p", { className: step.refusal ? "bad" : "" }, step.sentence),
      step.client ? make("p", { className: "soft" }, `asked by the client of ${step.client}`) : "",
      step.refusal ? make("p", { className: "soft" }, `clause ${step.refusal.clause}`) : "",
      block ? list(`${block.name}:`, block.transactions.length ? block.transactions : ["no transaction"]) : "",
      list("arrives:", step.message ? [sayMessage(step.message)] : []),
      list("sent:", step.sent.map(sayMessage)),
      step.changes.length ? make("p", { className: "soft" }, "changes:") : make("p", { className: "soft" }, "no validator's state changes"),
      ...step.changes.map(showChange),
    ];
  }

  function showStep() {
    const step = steps[now - 1];
    const head = make("h2", {}, step ? `Step ${now} of ${steps.length}` : `Before the first of ${steps.length} steps`);
    find("step").replaceChildren(head, ...(step ? describe(step) : [make("p", {}, "Nothing was sent yet.")]).filter(Boolean));
  }

  // --- Going from step to step ---------------------------------------------------------------------------------

  function go(target, scroll = true) {
    now = Math.min(Math.max(0, target), steps.length);
    for (const row of rows) {
      row.classList.toggle("later", Number(row.dataset.step) > now);
      const current = row === rowOf.get(now);
      row.classList.toggle("now", current);
      if (current) row.setAttribute("aria-current", "step");
      else row.removeAttribute("aria-current");
    }
    for (const verdict of document.querySelectorAll(".verdict")) verdict.hidden = Number(verdict.dataset.step) !== now;
    follow(steps[now - 1]);
    showStep();
    showState();
    showPlace();
    if (scroll) (rowOf.get(now) ?? rows[0])?.scrollIntoView({ block: "nearest" });
  }

  function showPlace() {
    find("place").value = now;
    find("first").disabled = find("back").disabled = now === 0;
    find("last").disabled = find("forward").disabled = now === steps.length;
    try {
      history.replaceState(null, "", `#step=${now}`);
    } catch {
      // Some readers do not let a local file change its address.
    }
  }

  /* The next step in a direction whose row is not filtered out. */
  function beside(direction) {
    let place = now + direction;
    while (rowOf.get(place)?.hidden) place += direction;
    return place;
  }

  const moves = {
    ArrowLeft: () => go(beside(-1)),
    ArrowRight: () => go(beside(1)),
    Home: () => go(0),
    End: () => go(steps.length),
  };

  function onKey(event) {
    const busy = event.target.matches?.("select, input[type=range]");
    if (busy || event.altKey || event.ctrlKey || event.metaKey || !(event.key in moves)) return;
    event.preventDefault();
    moves[event.key]();
  }

  function fromAddress() {
    const found = /^#step=(\d{1,9})$/.exec(location.hash);
    const verdict = document.querySelector(".verdict");
    go(Number(found?.[1] ?? verdict?.dataset.step ?? steps.length), Boolean(found ?? verdict));
  }

  // --- Lanes ---------------------------------------------------------------------------------------------------

  const off = { owners: new Set(), validators: new Set(), chains: new Set() };

  function isShown(lane) {
    if (lane.kind === "owner") return !off.owners.has(lane.head);
    return lane.kind === "sent" || (!off.validators.has(lane.head) && !off.chains.has(lane.chain));
  }

  function isWanted(step) {
    const message = step.message;
    const gone = message ? off.chains.has(message.from) && off.chains.has(message.to) : off.chains.has(step.chain);
    return !gone && !off.owners.has(step.by) && !off.validators.has(step.at);
  }

  function place() {
    let [width, last] = [0, null];
    for (const lane of lanes) {
      lane.shown = isShown(lane);
      if (lane.shown && last && last.head !== lane.head && last.kind !== "owner") width += gap;
      lane.x = width + Math.floor(lane.width / 2);
      if (!lane.shown) continue;
      width += lane.width;
      last = lane;
    }
    return width;
  }

  const all = (selector) => document.querySelectorAll(`.run ${selector}`);
  const show = (part, wanted) => (part.style.display = wanted ? "" : "none");

  function moveMark(part) {
    const lane = lanes[part.dataset.lane];
    show(part, lane.shown);
    if (part.localName === "line") for (const end of ["x1", "x2"]) part.setAttribute(end, lane.x);
    else part.setAttribute("transform", part.getAttribute("transform").replace(/^translate\(\S+/, `translate(${lane.x}`));
  }

  function moveArrow(part) {
    const [from, to] = [lanes[part.dataset.from], lanes[part.dataset.to]];
    const sign = Math.sign(part.dataset.to - part.dataset.from);
    show(part, from.shown && to.shown);
    part.setAttribute("x1", from.x + sign * part.dataset.leave);
    part.setAttribute("x2", to.x - sign * part.dataset.reach);
  }

  function moveHead(part) {
    const group = part.dataset.lanes.split(" ").map((place) => lanes[place]).filter((lane) => lane.shown);
    show(part, group.length);
    if (group.length) part.setAttribute("transform", `translate(${(group[0].x + group.at(-1).x) / 2} 0)`);
  }

  function layOut() {
    document.documentElement.style.setProperty("--picture", `${place()}px`);
    all("[data-lane]").forEach(moveMark);
    all("[data-from]").forEach(moveArrow);
    all("[data-lanes]").forEach(moveHead);
    steps.forEach((step, number) => (rowOf.get(number + 1).hidden = !isWanted(step)));
  }

  function addFilter(kind, names) {
    const boxes = names.map((name) => {
      const box = make("input", { type: "checkbox", checked: true });
      box.addEventListener("change", () => {
        off[kind][box.checked ? "delete" : "add"](name);
        layOut();
      });
      return make("label", {}, box, ` ${name}`);
    });
    if (boxes.length) find("filters").append(make("fieldset", {}, make("legend", {}, kind), ...boxes));
  }

  // --- Start ---------------------------------------------------------------------------------------------------

  const network = trace.network;
  const correct = network.validators.filter((validator) => !validator.byzantine).map((validator) => validator.name);
  const chains = network.chains.map((chain) => chain.id);
  find("validator").append(...correct.map((name) => new Option(name, name)));
  find("chain").append(...chains.map((name) => new Option(name, name)));
  addFilter("owners", lanes.filter((lane) => lane.kind === "owner").map((lane) => lane.head));
  addFilter("validators", network.validators.map((validator) => validator.name));
  addFilter("chains", chains);
  find("place").max = steps.length;

  document.addEventListener("keydown", onKey);
  window.addEventListener("hashchange", fromAddress);
  find("first").addEventListener("click", moves.Home);
  find("back").addEventListener("click", moves.ArrowLeft);
  find("forward").addEventListener("click", moves.ArrowRight);
  find("last").addEventListener("click", moves.End);
  find("place").addEventListener("input", (event) => go(Number(event.target.value)));
  for (const id of ["validator", "chain"])
    find(id).addEventListener("change", () => {
      find("follow").checked = false;
      showState();
    });
  find("follow").addEventListener("change", () => go(now));
  fromAddress();
})();
