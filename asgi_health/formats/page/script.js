"use strict";
{
  // Renders nothing: it puts fragments of the server into the place of elements with the same id, and shows times in the
  // zone of the reader.
  const FRAGMENTS = ["head", "counts", "changes"];
  const SILENCE = 45000; // milliseconds without a byte after which a stream counts as lost
  const POLL = 5000; // milliseconds between two pages where there is no stream
  const LONGEST_WAIT = 15000; // milliseconds between two attempts to connect
  const get = (id) => document.getElementById(id);
  let token = ""; // in memory only
  let paused = false;
  let waiting = new Map(); // fragments that came while the page is paused, by id
  let lastEventId = "";
  let lostSince = null;
  let retry = 1000;
  let stopStream = null;
  let polls = false; // there is no stream here
  let skew = 0; // milliseconds by which the clock of the server is ahead

  // -- times

  const day = (date) => date.toDateString();
  function showTimes(root) {
    for (const element of root.querySelectorAll("time")) {
      const when = new Date(element.dateTime);
      const time = {hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23"};
      const today = day(when) === day(new Date(Date.now() + skew));
      element.textContent = today
        ? when.toLocaleTimeString("en-GB", time)
        : when.toLocaleString("en-GB", {day: "numeric", month: "short", hour: "2-digit", minute: "2-digit", hourCycle: "h23"});
    }
  }
  function elapsed(seconds) { // as `elapsed` of the server
    const two = (large, unit, small, smallUnit) => `${large} ${unit}` + (small ? ` ${small} ${smallUnit}` : "");
    const whole = Math.max(0, Math.floor(seconds));
    if (whole < 60) return `${whole} s`;
    if (whole < 3600) return `${Math.floor(whole / 60)} min`;
    if (whole < 86400) return two(Math.floor(whole / 3600), "h", Math.floor(whole % 3600 / 60), "min");
    return two(Math.floor(whole / 86400), "d", Math.floor(whole % 86400 / 3600), "h");
  }
  function tick() {
    for (const element of document.querySelectorAll("[data-since]")) {
      const shown = elapsed((Date.now() + skew - element.dataset.since) / 1000);
      if (element.textContent !== shown) element.textContent = shown;
    }
    showState();
  }

  // -- fragments

  function put(fragment) {
    for (const element of [...fragment.children]) {
      if (!element.id) continue;
      if (paused) waiting.set(element.id, element);
      else if (element.id.startsWith("check-")) putCheck(element);
      else if (FRAGMENTS.includes(element.id)) putPart(element);
    }
  }
  function isOlder(element, old) {
    return Number(element.dataset.at) < Number(old.dataset.at);
  }
  function putPart(element) {
    const old = get(element.id);
    if (!old || isOlder(element, old)) return;
    showTimes(element);
    old.replaceWith(element);
    if (element.id === "head") showHead(element);
  }
  function showHead(head) {
    const said = get("verdict").textContent;
    if (head.dataset.title && !document.title.startsWith(`${head.dataset.title} – `)) {
      document.title = document.title.replace(/^.*? – /, () => `${head.dataset.title} – `);
      get("icon").href = head.dataset.icon;
      get("announcement").textContent = said;
    }
    skew = Number(head.dataset.at) * 1000 - Date.now();
    const asOf = get("as-of").firstElementChild;
    asOf.dateTime = asOf.title = new Date(Number(head.dataset.at) * 1000).toISOString();
    showTimes(get("as-of"));
  }
  function putCheck(element) {
    const old = get(element.id);
    const rows = get("rows");
    if (!old) {
      if (rows && rows.dataset.filters === "0") insert(rows, element);
      return;
    }
    if (isOlder(element, old) || isSelected(old)) return;
    const opened = old.querySelector("details").open;
    const focused = old.contains(document.activeElement) && document.activeElement.tagName === "SUMMARY";
    element.querySelector("details").open = opened;
    showTimes(element);
    const moved = element.dataset.rank !== old.dataset.rank;
    if (element.className !== old.className) element.classList.add("changed");
    old.replaceWith(element);
    if (moved && !focused) insert(rows, element);
    if (focused) element.querySelector("summary").focus();
  }
  function isSelected(element) { // the reader copies from it
    const selection = getSelection();
    return !selection.isCollapsed && selection.containsNode(element, true);
  }
  function insert(rows, element) { // the order of the server: trouble first, then by name
    showTimes(element);
    const after = [...rows.children].find((each) => each !== element && (
      Number(each.dataset.rank) - Number(element.dataset.rank) || (each.dataset.name < element.dataset.name ? -1 : 1)) > 0);
    rows.insertBefore(element, after ?? null);
  }
  function parse(html) {
    return new DOMParser().parseFromString(html, "text/html");
  }

  // -- the page again

  function headers(more) {
    return token ? {...more, authorization: token} : more;
  }
  async function load(url) {
    const response = await fetch(url, {headers: headers({accept: "text/html"}), cache: "no-store", signal: AbortSignal.timeout(10000)});
    return parse(await response.text());
  }
  async function refresh() { // everything, in case that changes were missed
    const found = await load(location.href);
    if (found.getElementById("main")?.dataset.page !== "details") return;
    const rows = get("rows"), names = new Set([...found.querySelectorAll(".check")].map((each) => each.id));
    for (const row of [...rows.children]) if (!paused && !names.has(row.id)) row.remove();
    if (!paused && found.querySelector("#rows")) rows.dataset.filters = found.querySelector("#rows").dataset.filters;
    const fragment = document.createDocumentFragment();
    for (const id of FRAGMENTS) fragment.append(found.getElementById(id));
    fragment.append(...found.querySelectorAll(".check"));
    for (const element of [...fragment.children]) {
      if (!paused && element.classList.contains("check") && !get(element.id)) insert(rows, element);
    }
    put(fragment);
  }
  async function showChecks(url) { // another filter or page
    const found = await load(url);
    const section = found.getElementById("checks");
    if (!section) return;
    showTimes(section);
    const old = get("checks"), active = document.activeElement;
    const form = get("filter"), kept = form && form.contains(active) ? form : null;
    if (kept) { // the reader types: the form stays, and what is found is shown
      get("found").textContent = section.querySelector("#found").textContent;
      section.querySelector("#filter").replaceWith(section.ownerDocument.createComment(""));
      for (const child of [...old.children]) if (child !== kept) child.remove();
      kept.before(section.querySelector(".bar"));
      old.append(...section.children);
    } else {
      old.replaceWith(section);
    }
    history.replaceState(null, "", url);
  }

  // -- live

  function showState() {
    const live = get("live");
    if (!live) return;
    live.hidden = false;
    let state = "live", text = "live";
    if (paused) [state, text] = ["paused", "paused"];
    else if (lostSince !== null) {
      const away = Date.now() - lostSince;
      [state, text] = away < 10000 ? ["reconnecting", "reconnecting"] : ["offline", `offline since ${clockOf(lostSince)}`];
    } else if (stopStream === null) [state, text] = polls ? ["live", `every ${POLL / 1000} s`] : ["reconnecting", "connecting"];
    live.dataset.state = state;
    if (get("live-text").textContent !== text) get("live-text").textContent = text;
    get("pause").textContent = paused ? "Resume" : "Pause";
  }
  function clockOf(moment) {
    return new Date(moment).toLocaleTimeString("en-GB", {hourCycle: "h23"});
  }
  const pause = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));

  async function follow() {
    let failures = 0;
    for (;;) {
      let streamed = false;
      try {
        streamed = await stream(() => {
          failures = 0;
        });
      } catch { /* the server restarts, or the network is away */ }
      polls = streamed === null;
      if (polls) {
        try {
          await refresh();
          lostSince = null;
        } catch {
          lostSince ??= Date.now();
        }
        showState();
        await pause(POLL);
        continue;
      }
      lostSince ??= Date.now();
      showState();
      failures += 1;
      await pause(Math.min(LONGEST_WAIT, retry * 2 ** (failures - 1)) * (0.8 + 0.4 * Math.random()));
    }
  }
  // Reads the stream until it ends. Not EventSource, which cannot send a token. Returns null where there is none.
  async function stream(onOpen) {
    const controller = new AbortController();
    let silence = 0;
    const alive = () => {
      clearTimeout(silence);
      silence = setTimeout(() => controller.abort(), SILENCE);
    };
    alive();
    try {
      const more = lastEventId ? {accept: "text/event-stream", "last-event-id": lastEventId} : {accept: "text/event-stream"};
      const url = location.pathname.replace(/\/$/, "") + "/events";
      const response = await fetch(url, {headers: headers(more), cache: "no-store", signal: controller.signal});
      if (!response.ok || !response.headers.get("content-type")?.startsWith("text/event-stream")) {
        return response.status >= 500 ? false : null;
      }
      stopStream = () => controller.abort();
      onOpen();
      if (lostSince !== null) await refresh();
      lostSince = null;
      showState();
      let rest = "", event = {data: []};
      const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
      for (;;) {
        const {value, done} = await reader.read();
        if (done) return true;
        alive();
        const lines = (rest + value).split(/\r\n|\n|\r/);
        rest = lines.pop();
        for (const line of lines) event = readLine(line, event);
      }
    } finally {
      clearTimeout(silence);
      controller.abort();
      stopStream = null;
    }
  }
  function readLine(line, event) {
    if (line === "") {
      if (event.data.length) receive(event.data.join("\n"));
      return {data: []};
    }
    const [, name, value] = /^([^:]*):? ?(.*)$/.exec(line);
    if (name === "data") event.data.push(value);
    else if (name === "id") lastEventId = value;
    else if (name === "retry" && /^\d+$/.test(value)) retry = Number(value);
    return event;
  }
  function receive(html) {
    put(parse(html).body);
  }

  // -- the reader

  document.addEventListener("click", (event) => {
    const link = event.target.closest("a");
    if (event.target.id === "pause") {
      paused = !paused;
      if (!paused) {
        const fragment = document.createDocumentFragment();
        fragment.append(...waiting.values());
        waiting = new Map();
        put(fragment);
      }
      showState();
    } else if (link && token && link.origin === location.origin && link.pathname === location.pathname && !event.ctrlKey && !event.metaKey) {
      // A link would be followed without the token.
      if (link.closest(".counts, .pages, .filter")) {
        event.preventDefault();
        showChecks(link.href).catch(() => {});
      } else if (link.id === "reload") {
        event.preventDefault();
        refresh().catch(() => {});
      }
    }
  });
  let typing = 0;
  function filter(form) {
    const pairs = [...new FormData(form)].filter(([, value]) => value);
    showChecks(`?${new URLSearchParams(pairs)}`).catch(() => {});
  }
  document.addEventListener("input", (event) => {
    const form = event.target.closest("#filter");
    if (!form) return;
    clearTimeout(typing);
    typing = setTimeout(() => filter(form), 250);
  });
  document.addEventListener("submit", (event) => {
    if (event.target.id === "filter") {
      event.preventDefault();
      filter(event.target);
    } else if (event.target.id === "sign-in") {
      event.preventDefault();
      signIn();
    }
  });
  async function signIn() {
    const error = get("sign-in-error"), entered = get("token").value.trim();
    error.textContent = "";
    token = `Bearer ${entered}`;
    try {
      const found = await load(location.href);
      if (found.getElementById("main")?.dataset.page !== "details") throw new Error("The server does not accept this token.");
      document.body.replaceChildren(...found.body.children);
      document.title = found.title;
      get("icon").href = found.getElementById("icon").href;
      begin();
    } catch (problem) {
      token = "";
      error.textContent = problem.message.startsWith("The server") ? problem.message : "The server does not answer.";
    }
  }

  function begin() {
    const main = get("main");
    if (main.dataset.page === "public") {
      get("sign-in").hidden = false;
      return;
    }
    skew = Number(get("head").dataset.at) * 1000 - Date.now();
    showTimes(document);
    setInterval(tick, 1000);
    follow();
  }
  begin();
}
