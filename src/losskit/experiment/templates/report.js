"use strict";
(() => {
  const hidden = new Set();
  const make = (tag, text, attributes = {}) => {
    const element = document.createElement(tag);
    element.textContent = text;
    for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
    return element;
  };

  // Legend entries become buttons that hide a loss everywhere.
  const show = () => {
    for (const element of document.querySelectorAll("[data-of]")) element.hidden = hidden.has(element.dataset.of);
    for (const group of document.querySelectorAll(".chart g[id*='-loss']")) {
      group.style.display = hidden.has(group.id.match(/-loss(\d+)-/)[1]) ? "none" : "";
    }
    for (const button of document.querySelectorAll("button[data-loss]")) {
      button.setAttribute("aria-pressed", String(!hidden.has(button.dataset.loss)));
    }
  };
  for (const entry of document.querySelectorAll(".key .entry")) {
    const loss = entry.dataset.loss;
    const button = make("button", "", { type: "button", class: "entry", "data-loss": loss, "aria-pressed": "true" });
    button.title = "Show or hide this loss";
    button.append(...entry.childNodes);
    button.addEventListener("click", () => {
      if (!hidden.delete(loss)) hidden.add(loss);
      show();
    });
    entry.replaceWith(button);
  }

  // A click on a column header sorts by it; a second click reverses the order.
  const value = (row, column) => {
    const cell = row.cells[column];
    return cell.dataset.value === undefined ? cell.textContent.trim() : parseFloat(cell.dataset.value);
  };
  const compare = (a, b) => {
    if (typeof a === "number" && typeof b === "number") {
      return Number.isNaN(a) ? 1 : Number.isNaN(b) ? -1 : a - b; // missing values come last
    }
    return String(a).localeCompare(String(b), undefined, { numeric: true });
  };
  for (const head of document.querySelectorAll("table thead th")) {
    const button = make("button", head.textContent.trim(), { type: "button" });
    head.replaceChildren(button);
    button.addEventListener("click", () => {
      const down = head.getAttribute("aria-sort") === "ascending";
      for (const other of head.parentNode.cells) other.removeAttribute("aria-sort");
      head.setAttribute("aria-sort", down ? "descending" : "ascending");
      const body = head.closest("table").tBodies[0];
      const rows = [...body.rows].sort((a, b) => compare(value(a, head.cellIndex), value(b, head.cellIndex)));
      body.append(...(down ? rows.reverse() : rows));
    });
  }

  // Tables are copied as CSV, with the ends of intervals in separate columns.
  // A cell that starts like a formula is marked as text for spreadsheets.
  const plain = (text) => (/^[=+\-@\t\r]/.test(text) && Number.isNaN(Number(text)) ? `'${text}` : text);
  const quote = (text) => (/[",\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);
  const csv = (table) => {
    const rows = [...table.tBodies[0].rows].filter((row) => !row.hidden);
    const columns = [...table.tHead.rows[0].cells].map((head, column) => ({
      name: head.textContent.trim(),
      ends: rows.some((row) => row.cells[column].dataset.low !== undefined),
    }));
    const lines = [columns.flatMap(({ name, ends }) => (ends ? [name, `${name}, low`, `${name}, high`] : [name]))];
    for (const row of rows) {
      lines.push(columns.flatMap(({ ends }, column) => {
        const cell = row.cells[column];
        const main = cell.dataset.value === undefined ? cell.textContent.trim() : cell.dataset.value;
        return ends ? [main, cell.dataset.low || "", cell.dataset.high || ""] : [main];
      }));
    }
    return lines.map((line) => line.map(plain).map(quote).join(",")).join("\n") + "\n";
  };
  const copy = async (text) => {
    try {
      await navigator.clipboard.writeText(text);
      return true;
    } catch {
      const area = make("textarea", text);
      document.body.append(area);
      area.select();
      const done = document.execCommand("copy");
      area.remove();
      return done;
    }
  };
  for (const table of document.querySelectorAll("table")) {
    const tools = make("div", "", { class: "tools" });
    const button = make("button", "Copy as CSV", { type: "button", class: "copy" });
    const said = make("span", "", { role: "status", class: "soft" });
    button.addEventListener("click", async () => {
      const text = csv(table);
      table.dataset.copied = text;
      said.textContent = (await copy(text)) ? `${text.split("\n").length - 2} rows copied` : "Copying was not allowed";
    });
    tools.append(button, said);
    (table.closest(".scroll") || table).before(tools);
  }

  // Pointing at a curve, tapping it or moving along it with the arrow keys shows the value.
  for (const chart of document.querySelectorAll(".chart")) {
    const svg = chart.querySelector("svg");
    const readout = chart.parentNode.querySelector(".readout");
    const points = JSON.parse(chart.parentNode.querySelector("script").textContent);
    const invitation = "Point at a curve, tap it, or use the arrow keys for its values.";
    const dot = document.createElementNS("http://www.w3.org/2000/svg", "circle");
    for (const [name, number] of Object.entries({ r: 8, fill: "none", stroke: "currentColor", "stroke-width": 2 })) {
      dot.setAttribute(name, number);
    }
    dot.style.display = "none";
    svg.append(dot);
    let current = null;
    const visible = () => points.filter((point) => !hidden.has(String(point.loss)));
    const tell = (point) => {
      current = point;
      readout.textContent = point ? point.words : invitation;
      dot.style.display = point ? "" : "none";
      if (point) {
        dot.setAttribute("cx", point.x);
        dot.setAttribute("cy", point.y);
      }
    };
    const nearest = (x, y, among, reach) => {
      const distance = (point) => Math.hypot(point.x - x, point.y - y);
      const best = among.reduce((a, b) => (a === null || distance(b) < distance(a) ? b : a), null);
      return best !== null && distance(best) <= reach ? best : null;
    };
    const point = (event) => {
      const place = new DOMPoint(event.clientX, event.clientY).matrixTransform(svg.getScreenCTM().inverse());
      tell(nearest(place.x, place.y, visible(), 45));
    };
    chart.tabIndex = 0;
    chart.addEventListener("pointermove", point);
    chart.addEventListener("pointerdown", point);
    chart.addEventListener("keydown", (event) => {
      const along = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
      const across = { ArrowDown: 1, ArrowUp: -1 }[event.key];
      if (event.key === "Escape") tell(null);
      if (along === undefined && across === undefined) return;
      event.preventDefault();
      const all = visible();
      if (all.length === 0) return;
      if (current === null || hidden.has(String(current.loss))) return tell(all[0]);
      const losses = [...new Set(all.map((each) => each.loss))];
      const on = (loss) => all.filter((each) => each.loss === loss);
      if (along !== undefined) {
        const line = on(current.loss);
        tell(line[Math.min(Math.max(line.indexOf(current) + along, 0), line.length - 1)]);
      } else {
        const next = losses[(losses.indexOf(current.loss) + across + losses.length) % losses.length];
        tell(nearest(current.x, current.y, on(next), Infinity));
      }
    });
    tell(null);
  }
})();
