"use strict";
{
  // Renders nothing: it puts fragments of the server into the place of elements with the same id, and shows times in the
  // zone of the reader.
  const PARTS = ["service", "head", "counts", "changes"];
  const SILENCE = 45000; // milliseconds without a byte after which a stream counts as lost
  const POLL = 5000; // milliseconds between two pages where there is no stream
  const LONGEST_WAIT = 15000; // milliseconds between two attempts to connect
  const get = (id) => document.getElementById(id);
  let token = ""; // in memory only
  let paused = false;
  let lastEventId = "";
  let lostSince = null;
  let retry = 1000;
  let stopStream = null;
  let polls = false; // there is no stream here
  let renews = false; // the stream has ended because it has lasted long enough, and the next one begins at once
  let session = 0; // number of the last time that the reader was admitted, or no longer
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

  function put(elements) {
    for (const element of [...elements]) {
      if (element.classList.contains("check")) putCheck(element);
      else if (PARTS.includes(element.id)) putPart(element);
    }
  }
  function putPart(element) {
    const old = get(element.id);
    if (!old || old.outerHTML === element.outerHTML) return;
    showTimes(element);
    old.replaceWith(element);
    if (element.id === "head") showVerdict(element);
  }
  function showVerdict({dataset}) {
    const said = get("verdict").textContent;
    get("icon").href = dataset.icon;
    if (document.title.startsWith(`${dataset.title} – `)) return;
    document.title = document.title.replace(/^.*? – /, () => `${dataset.title} – `);
    get("announcement").textContent = said;
  }
  function showMoment(iso) {
    skew = Date.parse(iso) - Date.now();
    const shown = get("as-of").firstElementChild;
    shown.dateTime = shown.title = iso;
    showTimes(get("as-of"));
  }
  function putCheck(element) {
    const old = get(element.id), rows = get("rows");
    if (!old) {
      if (rows.dataset.filters === "0") insert(rows, element);
      return;
    }
    if (isSelected(old)) return;
    const focused = old.querySelector("summary") === document.activeElement;
    element.querySelector("details").open = old.querySelector("details").open;
    if (element.className !== old.classList[0] + " " + old.classList[1]) element.classList.add("changed");
    showTimes(element);
    old.replaceWith(element);
    if (focused) element.querySelector("summary").focus({preventScroll: true});
    else if (element.dataset.rank !== old.dataset.rank) insert(rows, element);
  }
  function keepChecks(ids) {
    for (const row of [...get("rows").children]) if (!ids.has(row.id)) row.remove();
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
  async function refresh() { // everything: changes may have been missed
    const found = await load(location.href);
    const kind = found.getElementById("main")?.dataset.page;
    if (kind === "public") return signOut(found);
    if (kind !== "details") throw new Error("a page of a proxy");
    const checks = [...found.querySelectorAll(".check")];
    keepChecks(new Set(checks.map((each) => each.id)));
    get("rows").dataset.filters = found.getElementById("rows").dataset.filters;
    for (const each of checks) if (!get(each.id)) insert(get("rows"), each);
    put([...PARTS.map((id) => found.getElementById(id)), ...found.querySelectorAll(".check")]);
    showMoment(found.querySelector("#as-of time").dateTime);
  }
  let asked = 0;
  async function showChecks(url) { // another filter or page
    const number = ++asked;
    const section = (await load(url)).getElementById("checks");
    if (!section || number !== asked) return; // the reader has typed on
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
    } else if (stopStream === null && !renews) [state, text] = polls ? ["live", `every ${POLL / 1000} s`] : ["reconnecting", "connecting"];
    live.dataset.state = state;
    get("away").hidden = state !== "offline";
    if (get("live-text").textContent !== text) get("live-text").textContent = text;
    get("pause").textContent = paused ? "Resume" : "Pause";
  }
  function clockOf(moment) {
    return new Date(moment).toLocaleTimeString("en-GB", {hourCycle: "h23"});
  }
  const pause = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));

  async function follow() {
    const mine = ++session;
    let failures = 0, laterThan = 0; // when a stream may be asked for
    while (mine === session) {
      let streamed = null;
      if (get("main").dataset.events !== undefined && Date.now() >= laterThan) {
        try {
          streamed = await stream(() => {
            failures = 0;
          });
        } catch { // the server restarts, or the network is away
          streamed = false;
        }
      }
      if (mine !== session) return;
      if (streamed && retry > LONGEST_WAIT) { // another reader has taken the place of this one
        laterThan = Date.now() + retry;
        streamed = null;
      }
      renews = streamed && retry < 1000;
      if (renews) {
        await pause(retry);
        continue;
      }
      polls = streamed === null;
      if (polls) {
        try {
          if (!paused) await refresh();
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
      const response = await fetch(eventsUrl(), {headers: headers(more), cache: "no-store", signal: controller.signal});
      if (!response.ok || !response.headers.get("content-type")?.startsWith("text/event-stream")) {
        return response.status >= 500 ? false : null;
      }
      stopStream = () => controller.abort();
      onOpen();
      if (lostSince !== null && !paused) await refresh();
      if (get("main").dataset.page !== "details") return false;
      lostSince = null;
      showState();
      let rest = "", event = {data: []}; // of the event that has begun
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
  function eventsUrl() { // behind the prefix that a proxy may have put in front of all paths
    const {events, pages} = get("main").dataset;
    const here = location.pathname.replace(/\/$/, "");
    const found = pages.split(" ").filter((each) => here.endsWith(each)).sort((a, b) => b.length - a.length)[0];
    return location.origin + (found ? here.slice(0, -found.length) : "") + events;
  }
  function readLine(line, event) {
    if (line === "") {
      if (event.name && !paused) receive(event.name, event.data.join("\n"));
      if (event.id !== undefined) {
        // The app may have another version now, whose fields of the service come with no event.
        if (lastEventId && processOf(event.id) !== processOf(lastEventId) && !paused) refresh().catch(() => {});
        lastEventId = event.id;
      }
      return {data: []};
    }
    const [, name, value] = /^([^:]*):? ?(.*)$/.exec(line);
    if (name === "data") event.data.push(value);
    else if (name === "event") event.name = value;
    else if (name === "id") event.id = value;
    else if (name === "retry" && /^\d+$/.test(value)) retry = Number(value);
    return event;
  }
  const processOf = (id) => id.split("-")[0];
  function receive(name, data) {
    if (name === "check" && get("rows").dataset.filters !== "0" && !get(/^<li id="([^"]*)"/.exec(data)?.[1])) return;
    if (name === "head" || name === "check") put(parse(data).body.children);
    else if (name === "checks") keepChecks(new Set(data.split("\n")));
    else if (name === "removed" && data.startsWith("check-")) get(data)?.remove();
    else if (name === "updated") showMoment(data);
  }

  // -- the reader

  document.addEventListener("click", (event) => {
    const link = event.target.closest("a");
    if (event.target.id === "pause") {
      paused = !paused;
      if (!paused) refresh().catch(() => {});
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
    token = /^[!-~]+$/.test(entered) ? `Bearer ${entered}` : ""; // what a header can carry
    try {
      const found = await load(location.href);
      if (found.getElementById("main")?.dataset.page === "details") {
        replaceBy(found);
        get("formats").hidden = true; // a browser would follow these links without the token
        begin();
        return;
      }
      error.textContent = "The server does not accept this token.";
    } catch {
      error.textContent = "The server does not answer.";
    }
    token = "";
  }

  function signOut(found) { // the policy no longer admits the reader, who must not go on reading what is no longer true
    session += 1;
    token = "";
    lostSince = null;
    replaceBy(found);
    begin();
  }
  function replaceBy(found) {
    document.body.replaceChildren(...found.body.children);
    document.title = found.title;
    get("icon").href = found.getElementById("icon").href;
  }

  function begin() {
    const main = get("main");
    if (main.dataset.page === "public") {
      get("sign-in").hidden = false;
      return;
    }
    get("by-hand").hidden = true;
    lastEventId = main.dataset.eventId ?? "";
    showMoment(get("as-of").firstElementChild.dateTime);
    showTimes(document);
    follow();
  }
  begin();
  setInterval(tick, 1000);
}
