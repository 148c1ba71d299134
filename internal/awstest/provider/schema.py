#!/usr/bin/env python3
"""Writes schema.json anew, for the resources and data sources that deploy/aws/terraform uses. It takes npm:

    python3 internal/awstest/provider/schema.py

The provider for AWS is in no package registry, but the npm package @cdktf/provider-aws is made of its schema: the
arguments' types, which are required, optional or computed, and the blocks. Of the numbers of blocks it tells none, one and
many only. A shape that this script does not know ends it, so that nothing is left out quietly.
"""
import base64
import json
import pathlib
import re
import subprocess
import tarfile
import tempfile

PACKAGE = "@cdktf/provider-aws@21.22.1"
NOTICE = (
    f"Made by schema.py of {PACKAGE}, Copyright (c) 2025 HashiCorp, Inc. This Source Code Form is subject to the terms of the "
    "Mozilla Public License, v. 2.0. If a copy of the MPL was not distributed with this file, You can obtain one at "
    "https://mozilla.org/MPL/2.0/."
)
HERE = pathlib.Path(__file__).resolve().parent
MODULE = HERE.parents[2] / "deploy/aws/terraform"

# How a class of the package reads an attribute, and of what type that is.
GETTERS = {
    "this.getStringAttribute(": "string",
    "this.getNumberAttribute(": "number",
    "this.getBooleanAttribute(": "bool",
    "this.getStringMapAttribute(": ["map", "string"],
    "this.getListAttribute(": ["list", "string"],
    "cdktf.Fn.tolist(this.getListAttribute(": ["set", "string"],
}
# A property of a class: what it is, the class of what is in it where it is a block, and how it is read.
PROPERTY = re.compile(
    r"// (\w+) - computed: (\w+), optional: (\w+), required: (\w+)\n"
    r'(?:  private _\w+ = new (\w+?)(List|OutputReference)\(this, .*\);|  private _\w+\?: .*;|) ?\n?'
    r"  public get \w+\(\) \{\n    return ([\w.(]+)"
)
# An argument as the package writes it into a configuration.
WRITTEN = re.compile(r'(\w+): \{\s+value: .*,\s+isBlock: (\w+),\s+type: "(\w+)",')


def part(text, start, end="\n}\n"):
    """What is between two marks."""
    at = text.index(start)
    return text[at : text.index(end, at)]


class Source:
    """The package's file for one resource or data source."""

    def __init__(self, text):
        self.text = text

    def whole(self):
        name = re.search(r"class (\w+) extends cdktf\.Terraform(?:Resource|DataSource) ", self.text)[1]
        text = part(self.text, f"class {name} ")
        return self.block(f"{name}Config", text, part(text, "synthesizeHclAttributes()", "// remove undefined"))

    def nested(self, name):
        function = part(self.text, f"function {name[0].lower()}{name[1:]}ToHclTerraform(")
        return self.block(name, part(self.text, f"class {name}OutputReference "), function)

    def block(self, interface, properties, function):
        found = {p[0]: p[1:] for p in PROPERTY.findall(properties)}
        written = {name: (is_block == "true", nesting) for name, is_block, nesting in WRITTEN.findall(function)}
        documented = set(re.findall(r"\* (\w+) block\n", part(self.text, f"interface {interface} ")))
        if (
            len(found) != properties.count(" - computed: ")
            or {name for name, p in found.items() if "true" in p[1:3]} != set(written)
            or {name for name, (is_block, _) in written.items() if is_block} != documented
        ):
            raise SystemExit(f"{interface}: not all of it is understood: {found} {written} {documented}")
        block = {"attributes": {}, "block_types": {}}
        for name, (computed, optional, required, inner, shape, getter) in sorted(found.items()):
            if name not in documented:
                flags = {"required": required, "optional": optional, "computed": computed}
                block["attributes"][name] = {"type": GETTERS[getter]} | {f: True for f in flags if flags[f] == "true"}
            elif written[name][1] == "struct":
                block["block_types"][name] = {"nesting_mode": "single", "block": self.nested(inner)}
            else:
                numbers = ({"min_items": 1} if required == "true" else {}) | ({"max_items": 1} if shape != "List" else {})
                block["block_types"][name] = {"nesting_mode": written[name][1]} | numbers | {"block": self.nested(inner)}
        return {what: names for what, names in block.items() if names}


def folder(what, kind):
    """Where the package has a resource or data source."""
    return "package/lib/" + ("data-" + kind if what == "data" else kind.removeprefix("aws_")).replace("_", "-")


def main():
    text = "".join(file.read_text() for file in MODULE.glob("*.tf"))
    used = sorted(set(re.findall(r'^(resource|data) "(aws_\w+)"', text, re.M)))
    wanted = {f"{folder(*u)}/index.js": u for u in used}
    files = {}
    with tempfile.TemporaryDirectory() as temp:
        subprocess.run(["npm", "pack", "--silent", PACKAGE], cwd=temp, check=True, stdout=subprocess.DEVNULL)
        (archive,) = pathlib.Path(temp).glob("*.tgz")
        with tarfile.open(archive) as tar:
            for member in tar:
                if member.name in wanted or member.name == "package/package.json":
                    files[member.name] = tar.extractfile(member).read().decode()
    schemas = {"resource": [], "data": []}
    for name, (what, kind) in wanted.items():
        # The source in TypeScript, which the compiled file carries along, says more than what it was compiled to.
        sources = json.loads(base64.b64decode(files[name].rpartition("base64,")[2]))
        block = Source(sources["sourcesContent"][0]).whole()
        schemas[what].append(f'    "{kind}": ' + json.dumps({"block": block}, separators=(",", ":")))
    provider = json.loads(files["package/package.json"])["cdktf"]["provider"]
    (HERE / "schema.json").write_text(
        f'{{\n  "//": "{NOTICE}",\n  "version": "{provider["version"]}",\n'
        '  "resource_schemas": {\n' + ",\n".join(schemas["resource"]) + "\n  },\n"
        '  "data_source_schemas": {\n' + ",\n".join(schemas["data"]) + "\n  }\n}\n"
    )


if __name__ == "__main__":
    main()
