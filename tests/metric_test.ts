import { deepEqual, equal, match, ok } from "node:assert/strict";
import fc from "fast-check";
import { Counter, gaugeText, Histogram } from "../src/gateway/metric.ts";
import { RouteLabels } from "../src/gateway/route_labels.ts";

Deno.test("Counter.text() has a line for each set of labels", () => {
  const counter = new Counter({ name: "a_total", help: "Some a.", labels: ["model", "code"] });
  equal(counter.text(), "");
  counter.add(["x", "200"]);
  counter.add(["x", "200"], 2);
  counter.add(["y", "404"]);
  equal(
    counter.text(),
    "# HELP a_total Some a.\n# TYPE a_total counter\n" +
      'a_total{model="x",code="200"} 3\na_total{model="y",code="404"} 1\n',
  );
});

Deno.test("Histogram.text() counts upward, each value in the first bucket that holds it", () => {
  const histogram = new Histogram({ name: "b_seconds", help: "Some b.", bounds: [0.1, 1] });
  for (const value of [0.1, 0.2, 1, 5]) histogram.observe([], value);
  equal(
    histogram.text(),
    "# HELP b_seconds Some b.\n# TYPE b_seconds histogram\n" +
      'b_seconds_bucket{le="0.1"} 1\nb_seconds_bucket{le="1"} 3\nb_seconds_bucket{le="+Inf"} 4\n' +
      "b_seconds_sum 6.3\nb_seconds_count 4\n",
  );
});

Deno.test("labels hold whatever a model is called, each on one line", () => {
  fc.assert(fc.property(fc.string({ unit: "binary" }), (name) => {
    const [, , line, rest] = gaugeText(
      { name: "c", help: "Some c.", labels: ["model"] },
      [[[name], 1]],
    ).split(/\n/);
    equal(rest, "");
    const quoted = /^c\{model="(.*)"\} 1$/su.exec(line!)?.[1];
    ok(quoted !== undefined, line);
    const read = quoted.replace(/\\([\\"n])/g, (_, sign) => sign === "n" ? "\n" : sign);
    equal(read, name);
  }));
});

Deno.test("gaugeText() leaves out what is not known", () => {
  equal(gaugeText({ name: "d_bytes", help: "Some d." }, [[[], null]]), "");
});

Deno.test("a metric has at most a thousand series, the rest is one that is called other", () => {
  const counter = new Counter({ name: "a_total", help: "Some a.", labels: ["model", "code"] });
  for (let number = 0; number < 5_000; number++) counter.add([`m${number}`, "200"]);
  counter.add(["m0", "200"]);
  const lines = counter.text().trim().split("\n").slice(2);
  equal(lines.length, 1_001);
  match(lines[0]!, /"m0",code="200"} 2$/);
  equal(lines.at(-1), 'a_total{model="other",code="other"} 4000');
});

Deno.test("RouteLabels.of() has few names, whatever the path", () => {
  const labels = new RouteLabels([
    ...["/*", "/", "/health", "/v1/chat/completions", "/v1/models", "/v1/models/:id{.+}"],
    ...["/admin/*", "/admin/models", "/admin/models/:id/load", "/upstream/:model/*"],
  ]);
  const table: [path: string, label: string][] = [
    ["/", "/"],
    ["/health", "/health"],
    ["/v1/chat/completions", "/v1/chat/completions"],
    ["/v1/models/a/b", "/v1/models"],
    ["/admin/models/hello/load", "/admin/models"],
    ["/admin/nowhere", "/admin"],
    ["/upstream/hello/props", "/upstream"],
    ["/nowhere", "none"],
    ["/v1", "none"],
    ["//", "none"],
    ["/healthy", "none"],
  ];
  deepEqual(table.map(([path]) => [path, labels.of(path)]), table);
  fc.assert(fc.property(fc.webPath(), (path) => {
    ok(["none", ...table.map(([, label]) => label)].includes(labels.of(`/${path}`)));
  }));
});
