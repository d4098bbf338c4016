// Says the class under the pointer: the label map lies hidden beside the picture.
(() => {
  const maps = new WeakMap();

  function pixels(labels) {
    // The page may give an element another picture.
    const known = maps.get(labels);
    if (known && known.source === labels.src) return known.context;
    const canvas = document.createElement("canvas");
    canvas.width = labels.naturalWidth;
    canvas.height = labels.naturalHeight;
    const context = canvas.getContext("2d", { willReadFrequently: true });
    context.drawImage(labels, 0, 0);
    maps.set(labels, { source: labels.src, context });
    return context;
  }

  document.addEventListener("mousemove", (event) => {
    const picture = event.target;
    if (!picture.classList || !picture.classList.contains("tfseg-picture")) return;
    const view = picture.closest(".tfseg-view");
    const labels = view.querySelector(".tfseg-labels");
    if (!labels.complete || !labels.naturalWidth) return;
    // clientWidth is rounded: at the edges, a quotient can lie outside.
    const box = picture.getBoundingClientRect();
    const pixel = (share, count) => Math.max(0, Math.min(count - 1, Math.floor(share * count)));
    const x = pixel((event.clientX - box.left) / box.width, labels.naturalWidth);
    const y = pixel((event.clientY - box.top) / box.height, labels.naturalHeight);
    const label = pixels(labels).getImageData(x, y, 1, 1).data[0];
    const name = JSON.parse(view.dataset.classes)[label];
    if (name) view.querySelector(".tfseg-read").textContent = `${name} at (${x}, ${y})`;
  });
})();
