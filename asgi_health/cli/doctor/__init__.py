"""`doctor`: find faults in the configuration of an app, with why and the cure.

`command` runs the examination of an app in a child process, as `check` does, and formats the findings with `table`.
`from_outside` examines a served app by its URL, in this process.

In the child, `child_main` runs the steps: `manifest` reads the user's own manifest of Kubernetes, `gather` collects
what is known of the app in `facts`, and `run_once` runs each check once. Then each rule of `rules` looks at the facts.
A rule is a function ``(facts) -> Iterable[Finding]`` with an id, a severity and the reason why it matters (`finding`);
docs/reference/doctor.md has a section for each.
"""
