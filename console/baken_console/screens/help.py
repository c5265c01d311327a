"""F1: what everything on the screen means and which key does what, in the reader's language."""

from __future__ import annotations

from textual.app import ComposeResult
from textual.containers import Container, VerticalScroll
from textual.widgets import Markdown

from baken_console.model import Board
from baken_console.screens.base import BoardScreen

_DUTCH = """\
## In één minuut

Deze console toont het **prikbord** van de regio: de berichten die u stuurt en hoe het met elk noodsteunpunt
gaat.
Elk bericht is ondertekend. Wat niet klopt, wordt geweigerd en nergens getoond.

1. **n** schrijft een bericht. Kies soort en gebied, typ de tekst. Onderaan staat hoe lang het zendt en wat
   beter kan. **F2** zoekt een **standaardzin**: nagekeken woorden, heel kort op de zender. Wie er een letter
   aan verandert, stuurt gewone tekst.
2. **Ctrl+S** verstuurt, na een vraag. Bij een alarm staat de keuze eerst op Nee.
3. Kijk in de kolommen **Ontv.** en **Gelezen** waar het bericht is. Enter opent de lijst per punt.

## Wat de kolommen zeggen

| | |
|---|---|
| `38/40` bij Ontv. | 38 van de 40 punten in het gebied hebben het bericht |
| `12/40` bij Gelezen | op 12 punten heeft een mens het bevestigd |
| `!!` en `!` | zeer ernstig, ernstig |
| wacht op verbinding | bewaard op deze computer; gaat vanzelf zodra de broker er is |
| onvolledig | nog niet alle delen zijn hier |
| deels vervangen | in een deel van het gebied geldt een nieuwer bericht |
| Mist | zoveel geldige berichten heeft dat punt nog niet |
| STIL of `!` bij Gehoord | langer dan 6 uur niets gehoord; na 2 uur kleurt de tijd |
| `!` bij Stroom, Node | nog 4 uur of minder; accu 20% of minder |

Een ontvangst komt mee met de eerstvolgende status van het punt. Geen teken betekent dus: nog niet bekend.

## Toetsen

| | |
|---|---|
| Tab, pijltjes, Enter | lopen, kiezen, openen |
| n, u, x | nieuw bericht, gekozen bericht vervangen, intrekken |
| a | alles wat aandacht vraagt |
| s | punten: aandacht eerst, of op code |
| l | logboek op het hele scherm |
| m | noodmeldingen: lezen, ontvangst bevestigen (Ctrl+O), antwoorden |
| t | teksten met vrijwilligers die een Meshtastic-app hebben |
| e | English |
| Ctrl+P | alle opdrachten, om te zoeken |
| Esc | terug |
| q | stoppen (Ctrl+Q werkt overal); wat gemaakt is blijft bewaard |

## Noodmeldingen

Een noodmelding van een punt is verzegeld: alleen wie de sleutel van de crisisruimte heeft, leest haar. Zij
blijft bovenaan tot een **mens** met Ctrl+O de ontvangst bevestigt of antwoordt; dan toont het scherm van het
punt ONTVANGEN en het antwoord, dat alleen dat punt kan lezen. Tot dan herhaalt de node de melding.
Zolang dit scherm met een sleutel openstaat, gaat elk uur een levensteken uit: punten zien dat de crisisruimte
er is.

## Teksten

Een tekst is **niet ondertekend**: iedereen met de sleutel van het kanaal kan er een schrijven, in elke naam.
Stuur wat mensen moeten weten als bericht. *@OV06* of *@!12345678* opent een gesprek met een punt of node.
Achter een eigen tekst staat wat ermee gebeurd is: verzonden, doorgegeven, ontvangen door, mislukt met reden.
Wat na een uur nog niet weg is, wordt niet meer verzonden.

## OEFENING

Een oefenbericht draagt dat woord tot op het scherm van elk punt. Kies bij elk bericht zelf tussen ECHT en
OEFENING:
een verkeerde keuze is in beide richtingen gevaarlijk, dus er is geen voorkeuze. Een lopende oefening kleurt
de bovenste regel.

## Persoonsgegevens

Iedereen leest een bericht. Lijkt de tekst een naam, adres, telefoonnummer of geboortedatum te bevatten, dan
waarschuwt de console. Gebruik een kaartnummer, zoals *OV07-12*, en bewaar de gegevens op papier bij het punt.
"""

_ENGLISH = """\
## In one minute

This console shows the region's **noticeboard**: the bulletins you send and how every emergency support point
is doing.
Every bulletin is signed. What does not verify is refused and shown nowhere.

1. **n** writes a bulletin. Choose kind and area, type the text. Below it you see how long it sends and what
   to improve. **F2** finds a **phrase**: vetted words, very short on the air. Whoever changes a letter of it
   sends ordinary text.
2. **Ctrl+S** sends, after a question. For an alarm the choice starts on No.
3. The columns **Recvd** and **Read** tell where the bulletin is. Enter opens the list of points.

## What the columns say

| | |
|---|---|
| `38/40` under Recvd | 38 of the 40 points in the area have the bulletin |
| `12/40` under Read | at 12 points a person has confirmed it |
| `!!` and `!` | extreme, severe |
| waits for connection | kept on this computer; goes by itself once the broker is there |
| incomplete | not all parts are here yet |
| partly replaced | in part of the area a newer bulletin is in force |
| Lacks | so many bulletins in force has this point not got yet |
| SILENT or `!` under Heard | nothing heard for more than 6 hours; after 2 hours the time is coloured |
| `!` under Power, Node | 4 hours or less left; battery at 20% or less |

A receipt comes with the point's next status. So no sign means: not known yet.

## Keys

| | |
|---|---|
| Tab, arrows, Enter | move, choose, open |
| n, u, x | new bulletin, replace the chosen one, withdraw it |
| a | everything that needs attention |
| s | points: trouble first, or by code |
| l | log on the whole screen |
| m | emergency reports: read, acknowledge (Ctrl+O), answer |
| t | texts with volunteers who have a Meshtastic app |
| e | Nederlands |
| Ctrl+P | all commands, to search |
| Esc | back |
| q | quit (Ctrl+Q works everywhere); what has been made is kept |

## Emergency reports

A point's report is sealed: only who has the crisis room's key reads it. It stays on top until a **person**
acknowledges it with Ctrl+O or answers; then the point's display says so and shows the answer, which only that
point can read. The node repeats its report until then.
While this screen is open with a key, a heartbeat goes out every hour: points see that the crisis room is
there.

## Texts

A text is **not signed**: whoever has the channel's key can write one, in any name.
Send what people must know as a bulletin. *@OV06* or *@!12345678* opens a conversation with a point or node.
Behind a text of your own stands what became of it: sent, passed on, received by, failed and why.
What has not gone within an hour is not sent any more.

## EXERCISE

An exercise bulletin carries that word to the screen of every point. Choose between ACTUAL and EXERCISE for
every bulletin:
a wrong choice is dangerous in both directions, so none is made for you. A running exercise colours the top
line.

## Personal data

Everybody reads a bulletin. When the text looks as if it held a name, address, phone number or date of birth,
the console
warns. Use a card number, such as *OV07-12*, and keep the data on paper at the point.
"""

TEXTS = {"nl": _DUTCH, "en": _ENGLISH}


class HelpScreen(BoardScreen):
    """Scrolls with the arrow keys."""

    def compose_body(self) -> ComposeResult:
        with Container(id="help-pane", classes="pane listing"), VerticalScroll(id="help-scroll"):
            yield Markdown(TEXTS[self.console_app.words.language])

    def on_mount(self) -> None:
        super().on_mount()
        self.query_one("#help-scroll").focus()

    def show_body(self, board: Board) -> None:
        self.query_one("#help-pane").border_title = self.console_app.words("help-title")
