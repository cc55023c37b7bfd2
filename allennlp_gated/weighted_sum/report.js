// The report's script. The data is in the page: an element of class `sentence` for each sentence,
// with the matrices of one or two models as base64 of little-endian typed arrays.
"use strict";

(() => {
  const BOTH = "both";
  // ColorBrewer's Blues, as in the figures: light is small, whatever plotly's scale of that name does.
  const COLORS = [
    "#f7fbff", "#deebf7", "#c6dbef", "#9ecae1", "#6baed6", "#4292c6", "#2171b5", "#08519c", "#08306b",
  ].map((color, place, all) => [place / (all.length - 1), color]);
  const byId = (id) => document.getElementById(id);
  const sentenceTags = [...document.querySelectorAll("script.sentence")];
  const models = JSON.parse(document.querySelector("script.models").textContent);
  let sentence = null;

  const bytes = (text) => Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0)).buffer;

  function decode(layer) {
    if (!layer.decoded) {
      layer.decoded = {
        norms: new Float32Array(bytes(layer.norms)),
        values: new Float32Array(bytes(layer.values)),
        dimensions: new Uint16Array(bytes(layer.dimensions)),
      };
    }
    return layer.decoded;
  }

  const runName = (layer, model) => {
    const several = model.layers.some((one) => one.module === layer.module && one.call > 0);
    const text = Object.keys(model.texts).length > 1 ? ` on ${layer.text}` : "";
    return layer.module + (several ? `, run ${layer.call + 1}` : "") + text;
  };

  const panels = models.map((name, side) => {
    const element = document.createElement("section");
    element.className = "panel";
    const heading = document.createElement("h2");
    heading.textContent = name;
    const controls = document.createElement("div");
    controls.className = "controls";
    const selects = {};
    for (const what of ["encoder", "layer", "direction"]) {
      const label = document.createElement("label");
      selects[what] = document.createElement("select");
      selects[what].id = `${what}-${side}`;
      selects[what].addEventListener("change", () => changed(side, what));
      label.append(what[0].toUpperCase() + what.slice(1), selects[what]);
      controls.append(label);
    }
    const plot = document.createElement("div");
    plot.id = `plot-${side}`;
    plot.className = "plot";
    element.append(heading, controls, plot);
    byId("panels").append(element);
    return { side, selects, plot };
  });

  function fill(select, options) {
    const before = select.value;
    select.replaceChildren(
      ...options.map(({ value, label }) => new Option(label, value)),
    );
    select.value = options.some(({ value }) => value === before) ? before : options[0].value;
  }

  const unique = (list) => [...new Map(list.map((one) => [one.value, one])).values()];

  // What can be chosen depends on what is chosen before it: encoder, then layer, then direction.
  function refill(panel) {
    const model = sentence.models[panel.side];
    const { encoder, layer, direction } = panel.selects;
    fill(encoder, unique(model.layers.map((one) => (
      { value: `${one.module}#${one.call}`, label: runName(one, model) }
    ))));
    const ofEncoder = model.layers.filter((one) => `${one.module}#${one.call}` === encoder.value);
    fill(layer, unique(ofEncoder.map((one) => (
      { value: String(one.layer), label: String(one.layer) }
    ))));
    const ofLayer = ofEncoder.filter((one) => String(one.layer) === layer.value);
    const directions = ofLayer.map((one) => ({ value: one.direction, label: one.direction }));
    fill(direction, directions.length > 1 ? [{ value: BOTH, label: BOTH }, ...directions] : directions);
    panel.shown = direction.value === BOTH
      ? ofLayer
      : ofLayer.filter((one) => one.direction === direction.value);
  }

  const isPast = (layer, j, t) => (layer.direction === "forward" ? j <= t : j >= t);

  function describe(layer, words, j, t) {
    const length = words.length;
    const { norms, values, dimensions } = decode(layer);
    const cell = j * length + t;
    const norm = norms[cell];
    const start = norms[j * length + j];
    const share = start > 0 ? ` (${(100 * norm / start).toPrecision(3)}% of |w<sub>j</sub><sup>j</sup>|)` : "";
    const largest = [];
    for (let k = 0; k < layer.count; k++) {
      const place = cell * layer.count + k;
      largest.push(`${dimensions[place]}: ${values[place].toPrecision(4)}`);
    }
    return `${layer.direction}: |w<sub>j</sub><sup>t</sup>| = ${norm.toPrecision(4)}${share}`
      + `<br>largest dimensions: ${largest.join(", ")}`;
  }

  const escape = (text) => text
    .replace(/&/g, "&amp;").replace(/</g, "&lt;").replace(/>/g, "&gt;");
  const shorten = (word) => (word.length > 18 ? word.slice(0, 17) + "…" : word);

  function matrices(panel) {
    const model = sentence.models[panel.side];
    const words = model.texts[panel.shown[0].text];
    const z = [];
    const hover = [];
    let largest = 0;
    for (let j = 0; j < words.length; j++) {
      z.push([]);
      hover.push([]);
      for (let t = 0; t < words.length; t++) {
        const there = panel.shown.filter((layer) => isPast(layer, j, t));
        if (!there.length) {
          z[j].push(null);
          hover[j].push("");
          continue;
        }
        const norm = decode(there[0]).norms[j * words.length + t];
        largest = Math.max(largest, norm);
        z[j].push(norm);
        hover[j].push(
          `context <b>${escape(words[j])}</b> (j=${j + 1}), current <b>${escape(words[t])}</b> (t=${t + 1})<br>`
          + there.map((layer) => describe(layer, words, j, t)).join("<br>"),
        );
      }
    }
    return { words, z, hover, largest };
  }

  function draw() {
    const drawn = panels.map((panel) => ({ panel, ...matrices(panel) }));
    const largest = Math.max(...drawn.map((one) => one.largest));
    for (const { panel, words, z, hover, largest: own } of drawn) {
      // As large as the window allows, but never too small for the labels: then the page scrolls.
      const longest = Math.max(...words.map((word) => shorten(word).length));
      const free = window.innerWidth / panels.length - 210 - longest * 8;
      const size = Math.max(15, Math.min(38, Math.floor(Math.min(free, 700) / words.length)));
      const font = Math.max(9, Math.min(14, size - 5));
      const labels = words.map((word) => escape(shorten(word)));
      const room = 22 + longest * font * 0.62;
      const places = words.map((_, place) => place);
      // A small matrix leaves room on its right for what is said of its cells.
      const widest = Math.min(720, window.innerWidth / panels.length - 70);
      const margin = { l: room, t: room, r: Math.max(90, widest - room - size * words.length), b: 40 };
      const axis = {
        tickvals: places, ticktext: labels, tickfont: { size: font }, showgrid: false,
        zeroline: false, ticks: "outside", ticklen: 4, tickcolor: "white", range: [-0.5, words.length - 0.5], constrain: "domain",
      };
      Plotly.react(panel.plot, [{
        type: "heatmap", z, x: places, y: places, text: hover, hoverinfo: "text",
        hoverongaps: false, xgap: 1, ygap: 1, colorscale: COLORS,
        zmin: 0, zmax: (byId("scale").checked ? largest : own) || 1,
        colorbar: {
          title: { text: "|w<sub>j</sub><sup>t</sup>|" },
          lenmode: "pixels", len: Math.max(120, Math.min(260, size * words.length)),
          y: 1, yanchor: "top", thickness: 14,
        },
      }], {
        width: margin.l + margin.r + size * words.length,
        height: margin.t + margin.b + size * words.length,
        margin,
        xaxis: { ...axis, side: "top", tickangle: -90 },
        yaxis: { ...axis, range: [words.length - 0.5, -0.5] },
        hoverlabel: { align: "left", bgcolor: "white", font: { color: "#222", size: 13 } },
        plot_bgcolor: "white",
      }, {
        displaylogo: false,
        modeBarButtons: [["toImage", "zoom2d", "pan2d", "resetScale2d"]],
      });
    }
  }

  function changed(side, what) {
    if (byId("link").checked) {
      const value = panels[side].selects[what].value;
      for (const panel of panels) {
        refill(panel);
        const select = panel.selects[what];
        if ([...select.options].some((option) => option.value === value)) select.value = value;
      }
    }
    panels.forEach(refill);
    draw();
  }

  function show(place) {
    byId("sentence").value = String(place);
    byId("previous").disabled = place === 0;
    byId("next").disabled = place === sentenceTags.length - 1;
    sentence = JSON.parse(sentenceTags[place].textContent);
    panels.forEach(refill);
    draw();
  }

  // A title needs the words alone, but they lie in the sentence's data: read it once and let go.
  sentenceTags.forEach((tag, place) => {
    const data = JSON.parse(tag.textContent);
    const words = Object.values(data.models[0].texts)[0].join(" ");
    const title = words.length > 90 ? words.slice(0, 89) + "…" : words;
    byId("sentence").append(new Option(`${data.number}. ${title}`, String(place)));
  });
  byId("sentence").addEventListener("change", (event) => show(Number(event.target.value)));
  byId("previous").addEventListener("click", () => show(Number(byId("sentence").value) - 1));
  byId("next").addEventListener("click", () => show(Number(byId("sentence").value) + 1));
  byId("link").addEventListener("change", () => changed(0, "layer"));
  byId("scale").addEventListener("change", draw);
  for (const label of document.querySelectorAll(".compare")) label.hidden = models.length < 2;
  if (sentenceTags.length) show(0);
})();
