"use strict";
// Pairs of images with a divider between them; zoom and place are the same for all pairs.
(() => {
  const MOST = 16;
  const STEP = 1.5;
  const viewers = [...document.querySelectorAll(".viewer")];
  const view = { zoom: 1, x: 0.5, y: 0.5 };

  const clamp = (value, low, high) => Math.min(Math.max(value, low), high);

  function look(zoom, x, y) {
    view.zoom = clamp(zoom, 1, MOST);
    const half = 0.5 / view.zoom;
    view.x = clamp(x, half, 1 - half);
    view.y = clamp(y, half, 1 - half);
    const root = document.documentElement.style;
    root.setProperty("--zoom", view.zoom);
    root.setProperty("--shift-x", `${100 * (0.5 - view.x * view.zoom)}%`);
    root.setProperty("--shift-y", `${100 * (0.5 - view.y * view.zoom)}%`);
    document.documentElement.classList.toggle("zoomed", view.zoom > 1);
    for (const viewer of viewers) {
      viewer.querySelector("output").textContent = `${Number(view.zoom.toFixed(1))}×`;
      measure(viewer.querySelector(".stage"));
    }
  }

  const zoomBy = (factor) => look(view.zoom * factor, view.x, view.y);

  // Keep the point under the pointer where it is.
  function zoomAt(stage, event, factor) {
    const box = stage.getBoundingClientRect();
    const across = (event.clientX - box.left) / box.width - 0.5;
    const down = (event.clientY - box.top) / box.height - 0.5;
    const zoom = clamp(view.zoom * factor, 1, MOST);
    const moved = 1 / view.zoom - 1 / zoom;
    look(zoom, view.x + across * moved, view.y + down * moved);
  }

  // A bar of a round length, at most a quarter of the stage.
  function measure(stage) {
    const bar = stage.querySelector(".scale-bar");
    if (!bar) return;
    const shown = Number(stage.dataset.um) / view.zoom;
    const power = 10 ** Math.floor(Math.log10(shown / 4));
    const length = [5, 2, 1].map((n) => n * power).find((n) => n <= shown / 4);
    bar.style.width = `${(100 * length) / shown}%`;
    bar.firstElementChild.textContent = `${Number(length.toPrecision(1))} µm`;
  }

  function pane(stage, side) {
    const made = document.createElement("div");
    made.className = `pane ${side}`;
    const image = made.appendChild(document.createElement("img"));
    image.draggable = false;
    const name = made.appendChild(document.createElement("span"));
    name.className = "name";
    stage.append(made);
    return { image, name };
  }

  function setUp(viewer) {
    const stage = viewer.querySelector(".stage");
    const slider = viewer.querySelector("input[type=range]");
    const shots = new Map(
      [...viewer.querySelectorAll(".shot img")].map((shot) => [shot.dataset.name, shot])
    );
    const first = shots.values().next().value;
    stage.style.aspectRatio = `${first.width} / ${first.height}`;

    for (const select of viewer.querySelectorAll("select")) {
      const { image, name } = pane(stage, select.dataset.side);
      const show = () => {
        const shot = shots.get(select.value);
        image.src = shot.src;
        image.alt = shot.alt;
        name.textContent = select.value;
      };
      select.addEventListener("change", show);
      show();
    }
    const divider = stage.appendChild(document.createElement("div"));
    divider.className = "divider";
    if (stage.dataset.um) {
      const bar = stage.appendChild(document.createElement("div"));
      bar.className = "scale-bar";
      bar.append(document.createElement("span"));
    }

    const cut = () => {
      stage.style.setProperty("--cut", `${slider.value}%`);
      slider.setAttribute("aria-valuetext", `${slider.value} % from the left`);
    };
    slider.addEventListener("input", cut);
    cut();

    viewer.addEventListener("click", (event) => {
      const button = event.target.closest("[data-zoom]");
      if (!button) return;
      const { zoom } = button.dataset;
      if (zoom === "whole") look(1, 0.5, 0.5);
      else zoomBy(zoom === "in" ? STEP : 1 / STEP);
    });

    stage.addEventListener("keydown", (event) => {
      if (event.ctrlKey || event.metaKey || event.altKey) return;
      const move = 0.1 / view.zoom;
      const moves = {
        ArrowLeft: [-move, 0],
        ArrowRight: [move, 0],
        ArrowUp: [0, -move],
        ArrowDown: [0, move],
      };
      if (event.key === "+" || event.key === "=") zoomBy(STEP);
      else if (event.key === "-") zoomBy(1 / STEP);
      else if (event.key === "0") look(1, 0.5, 0.5);
      else if (event.key in moves && view.zoom > 1)
        look(view.zoom, view.x + moves[event.key][0], view.y + moves[event.key][1]);
      else return;
      event.preventDefault();
    });

    stage.addEventListener(
      "wheel",
      (event) => {
        if (!event.ctrlKey && !event.metaKey) return;
        event.preventDefault();
        zoomAt(stage, event, Math.exp(-event.deltaY / 300));
      },
      { passive: false }
    );
    stage.addEventListener("dblclick", (event) => zoomAt(stage, event, event.shiftKey ? 0.5 : 2));

    let held = null;
    stage.addEventListener("pointerdown", (event) => {
      if (event.button !== 0) return;
      const box = stage.getBoundingClientRect();
      const at = event.clientX - box.left - (slider.value / 100) * box.width;
      const divides = view.zoom === 1 || Math.abs(at) < 16;
      held = { divides, x: event.clientX, y: event.clientY };
      stage.setPointerCapture(event.pointerId);
    });
    stage.addEventListener("pointermove", (event) => {
      if (!held) return;
      const box = stage.getBoundingClientRect();
      if (held.divides) {
        slider.value = (100 * (event.clientX - box.left)) / box.width;
        cut();
        return;
      }
      const across = (event.clientX - held.x) / box.width / view.zoom;
      const down = (event.clientY - held.y) / box.height / view.zoom;
      look(view.zoom, view.x - across, view.y - down);
      held = { divides: false, x: event.clientX, y: event.clientY };
    });
    const release = () => {
      held = null;
    };
    stage.addEventListener("pointerup", release);
    stage.addEventListener("pointercancel", release);
  }

  viewers.forEach(setUp);
  document.documentElement.classList.add("scripted");
  look(1, 0.5, 0.5);
})();
