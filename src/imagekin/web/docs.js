// The API's own description as a page; nothing is asked of anybody else.
function make(name, text, ...inside) {
  const made = document.createElement(name);
  if (text) made.textContent = text;
  made.append(...inside);
  return made;
}

function kind(schema, all) {
  if (!schema) return "";
  if (schema.$ref) return schema.$ref.split("/").pop();
  if (schema.anyOf) return schema.anyOf.map((each) => kind(each, all)).join(" or ");
  if (schema.type === "array") return `list of ${kind(schema.items, all) || "values"}`;
  const range = [schema.minimum, schema.maximum].map((each) => (each === undefined ? "" : each));
  return `${schema.format || schema.type || ""}${range.join("") === "" ? "" : ` ${range.join("…")}`}`;
}

function table(rows) {
  const made = make("table");
  for (const [name, what, says] of rows) {
    made.append(make("tr", "", make("td", "", make("code", name)), make("td", what), make("td", says)));
  }
  return made;
}

function resolved(schema, all) {
  return schema && schema.$ref ? all.components.schemas[schema.$ref.split("/").pop()] : schema;
}

function fields(schema, all) {
  const inside = resolved(schema, all);
  return Object.entries((inside && inside.properties) || {}).map(([name, each]) => [name, kind(each, all), each.description || ""]);
}

function operation(path, method, about, all) {
  const part = make("section", "", make("h2", "", make("code", `${method.toUpperCase()} ${path}`)), make("p", about.description || ""));
  const parameters = (about.parameters || []).map((each) => [each.name, `${each.in}, ${kind(each.schema, all)}`, each.description || ""]);
  if (parameters.length) part.append(make("h3", "Parameters"), table(parameters));
  for (const [type, each] of Object.entries((about.requestBody || {}).content || {})) {
    part.append(make("h3", `Body: ${type}`), table(fields(each.schema, all)));
  }
  const good = Object.entries(about.responses || {}).filter(([status]) => status < 400);
  const answers = good.map(([status, each]) => {
    const [type, found] = Object.entries(each.content || {})[0] || ["", {}];
    return [status, kind(found.schema, all) || type, each.description || ""];
  });
  part.append(make("h3", "Answers"), table(answers));
  return part;
}

const all = await (await fetch("/openapi.json")).json();
document.getElementById("version").textContent = `version ${all.info.version}; failures are problem details (RFC 9457)`;
const list = document.getElementById("list");
for (const [path, methods] of Object.entries(all.paths)) {
  for (const [method, about] of Object.entries(methods)) list.append(operation(path, method, about, all));
}
const failures = new Map();
for (const about of Object.values(all.paths).flatMap(Object.values)) {
  for (const [status, each] of Object.entries(about.responses)) if (status >= 400) failures.set(status, each.description);
}
list.append(make("h1", "Failures"), make("p", "Each is a problem detail: its member detail is one sentence for a person."));
list.append(table([...failures].sort().map(([status, says]) => [status, says, ""])));
list.append(make("h1", "Shapes"));
for (const [name, schema] of Object.entries(all.components.schemas)) {
  list.append(make("section", "", make("h2", name), make("p", schema.description || ""), table(fields(schema, all))));
}
