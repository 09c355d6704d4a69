"""The directive ``example-picture``: the picture that an example draws, and a link to the example.

Where the gallery was built without running the examples there is no picture, and the link remains.
"""

from pathlib import Path

from docutils import nodes
from sphinx.addnodes import pending_xref
from sphinx.util.docutils import SphinxDirective


class ExamplePicture(SphinxDirective):
    """``{example-picture} folder/plot_name``, with what the picture shows as its content."""

    required_arguments = 1
    has_content = True

    def run(self):
        """Return a figure, or what would be below it."""
        folder, name = self.arguments[0].split("/")
        link = pending_xref(
            "",
            nodes.inline("", "Example"),
            refdomain="std",
            reftype="doc",
            reftarget=f"/auto_examples/{folder}/{name}",
            refexplicit=True,
            refwarn=True,
            refdoc=self.env.docname,
        )
        text = nodes.inline("", " ".join(self.content) + " ")
        picture = f"auto_examples/{folder}/images/sphx_glr_{name}_001.png"
        if not (Path(self.env.srcdir) / picture).exists():
            return [nodes.paragraph("", "", text, link)]
        image = nodes.image(uri="/" + picture, alt=" ".join(self.content))
        return [nodes.figure("", image, nodes.caption("", "", text, link))]


def setup(app):
    """Register the directive."""
    app.add_directive("example-picture", ExamplePicture)
    return {"parallel_read_safe": True}
