// Validates an OpenAPI document: against the standard's own schema, and against the protos as tests/openapi/check found them.
import { readFileSync } from "node:fs";
import { Validator } from "@seriousme/openapi-schema-validator";

const [documentFile, rpcsFile] = process.argv.slice(2);
const document = JSON.parse(readFileSync(documentFile, "utf8"));
const problems = [];

const validator = new Validator();
const result = await validator.validate(structuredClone(document));
if (!result.valid) problems.push(`not OpenAPI: ${JSON.stringify(result.errors).slice(0, 2000)}`);
if (validator.version !== "3.1") problems.push(`version ${validator.version}, not 3.1`);

// Every rpc of the protos has one operation; every $ref leads somewhere; every variable of a path is a parameter.
const operations = new Map();
for (const [path, verbs] of Object.entries(document.paths)) {
  for (const [verb, operation] of Object.entries(verbs)) {
    const name = `${verb.toUpperCase()} ${path}`;
    if (operations.has(operation.operationId)) problems.push(`${operation.operationId} twice`);
    operations.set(operation.operationId, name);
    if (!operation.summary) problems.push(`${name}: no summary`);
    const given = (operation.parameters ?? []).filter((p) => p.in === "path").map((p) => p.name).sort();
    const wanted = [...path.matchAll(/\{([^}]+)\}/g)].map((match) => match[1]).sort();
    if (given.join() !== wanted.join()) problems.push(`${name}: path parameters ${given} are not ${wanted}`);
    for (const parameter of operation.parameters ?? []) {
      if (!parameter.description) problems.push(`${name}: ${parameter.name} is not described`);
    }
  }
}
for (const rpc of readFileSync(rpcsFile, "utf8").split("\n").filter(Boolean)) {
  if (!operations.has(rpc)) problems.push(`rpc ${rpc} has no route`);
}
JSON.stringify(document, (key, value) => {
  if (key === "$ref") {
    const target = value.slice(2).split("/").reduce((at, part) => at?.[part], document);
    if (target === undefined) problems.push(`${value} leads nowhere`);
  }
  return value;
});
for (const [name, schema] of Object.entries(document.components.schemas)) {
  for (const [property, described] of Object.entries(schema.properties ?? {})) {
    if (name !== "Error" && !described.description) problems.push(`${name}.${property} is not described`);
  }
}
for (const problem of problems) console.error(problem);
console.log(`${operations.size} operations, ${Object.keys(document.components.schemas).length} schemas, ${problems.length} problems`);
process.exit(problems.length ? 1 : 0);
