// Material 9.8 gives the dialog of its search no name that a screen reader could say.
document.querySelector(".md-search")?.setAttribute("aria-label", "Search")

// A table that is wider than the page is scrolled by keys too. Material has wrapped the tables by then.
addEventListener("load", () => document.querySelectorAll(".md-typeset__scrollwrap").forEach((each) => { each.tabIndex = 0 }))

// The copy button of a session copies its commands: no prompt and no output. ClipboardJS prefers this attribute to the code.
document.addEventListener("click", (event) => {
  const button = event.target.closest(".language-console .md-code__button")
  if (!button) return
  const lines = button.closest(".language-console").querySelector("code").textContent.split("\n")
  const isCommand = (line, index) => line.startsWith("$ ") || (index > 0 && lines[index - 1].endsWith("\\"))
  const commands = lines.filter(isCommand).map((line) => line.replace(/^\$ /, ""))
  if (commands.length) button.setAttribute("data-clipboard-text", commands.join("\n"))
}, true)
