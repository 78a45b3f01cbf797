{
  // Renders nothing but the status code of the shop: it puts what the server renders into the place of what is there.
  const PERIOD = 1000; // milliseconds between two rounds of requests
  const TIMEOUT = 900; // milliseconds until a request without an answer is aborted
  const LINES = 100;
  const get = (id) => document.getElementById(id);

  async function ask(path, method = "GET") {
    const response = await fetch(path, {method, cache: "no-store", signal: AbortSignal.timeout(TIMEOUT)});
    return {code: response.status, text: await response.text()};
  }
  function showCode(code) {
    get("shop").hidden = false;
    get("shop").className = `shop ${code === 200 ? "pass" : "fail"}`;
    get("shop-code").textContent = code ?? "no answer";
  }
  function showTimes(root) { // in the zone of the reader
    for (const element of root.querySelectorAll("time")) {
      element.textContent = new Date(element.dateTime).toLocaleTimeString("en-GB");
    }
  }
  function show(panel) {
    for (const card of [...panel.querySelectorAll(".fault")]) {
      const old = get(card.id);
      if (old.outerHTML === card.outerHTML) continue;
      const focused = old.contains(document.activeElement);
      old.replaceWith(card);
      if (focused) card.querySelector("button").focus({preventScroll: true});
    }
    const log = get("log");
    showTimes(panel);
    for (const line of [...panel.querySelectorAll("#log li")].reverse()) if (!get(line.id)) log.prepend(line);
    while (log.childElementCount > LINES) log.lastElementChild.remove();
  }
  async function update() {
    const [shop, panel] = await Promise.allSettled([ask("/products"), ask("/panel")]);
    showCode(shop.value?.code);
    if (panel.value?.code === 200) show(new DOMParser().parseFromString(panel.value.text, "text/html"));
  }
  async function repeat() {
    const begin = performance.now();
    await update();
    setTimeout(repeat, Math.max(0, PERIOD - (performance.now() - begin)));
  }
  document.addEventListener("submit", (event) => {
    if (!event.target.closest("#panel")) return;
    event.preventDefault();
    ask(event.target.action, "POST").then(update, () => {});
  });
  repeat();
}
