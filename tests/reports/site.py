"""The opening page of `reports/` as a site: every page of it, in both languages, and the other files."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

from parity.render.texts import LANGUAGES
from parity.report.bilingual import one, say
from parity.report.page import asset, policy, templates
from tests.reports.index import OTHERS, Entry

PAGE = """{% include "head.html" +%}
{% include "languages.html" +%}
<h1>parity</h1>
<p class="lead">{{ say("reports.lead", command=command) }}</p>
</header>
<main>
<section><h2>{{ say("reports.title") }}</h2>
<ul>
{% for entry in pages %}
<li><a href="{{ entry.name }}/index.html">{{ say(entry.text) }}</a></li>
{% endfor %}
</ul></section>
<section><h2>{{ say("reports.gallery") }}</h2>
<ul>
{% for entry in mistakes %}
<li><a href="{{ entry.name }}/index.html">{{ say(entry.text) }}</a>:
<code>{{ entry.mistake.line }}</code></li>
{% endfor %}
</ul></section>
<section><h2>{{ say("reports.files") }}</h2>
<ul>
{% for place, text, made in others %}
<li><a href="{{ place }}">{{ say(text) }}</a> (<code>{{ place }}</code>)</li>
{% endfor %}
</ul></section>
</main>
<script>{{ script }}</script>
</body>
</html>
"""


def site(exhibits: Sequence[Entry], command: str) -> str:
    """The page that links to all others."""
    styles, script = asset("page.css"), asset("page.js")
    return (
        templates()
        .from_string(PAGE)
        .render(
            styles=styles,
            script=script,
            policy=policy(styles, script),
            lang=LANGUAGES[0],
            languages=LANGUAGES,
            titles={lang: f"parity: {one('reports.title', lang)}" for lang in LANGUAGES},
            command=Markup("<code>{}</code>").format(command),
            pages=[entry for entry in exhibits if not entry.mistake],
            mistakes=[entry for entry in exhibits if entry.mistake],
            others=OTHERS,
            say=say,
        )
        + "\n"
    )
