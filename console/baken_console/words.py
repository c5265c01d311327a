"""Every sentence of the interface in Dutch and in English, and the object that speaks one of the two.

`Words("nl")("key", name=value)` fills the sentence; `word("event", "ALARM")` names a code word of the
vocabulary.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from baken_console.moments import duration_text
from baken_console.vocabulary import TABLES

LANGUAGES = ("nl", "en")

# key: (Dutch, English)
SENTENCES = {
    # --- main board
    "title": ("BAKEN", "BAKEN"),
    "exercise": ("OEFENING", "EXERCISE"),
    "actual": ("ECHT", "ACTUAL"),
    "exercise-line": ("OEFENING - niets hiervan is echt", "EXERCISE - nothing here is real"),
    "mixed-line": ("OEFENING EN ECHT DOOR ELKAAR", "EXERCISE AND ACTUAL MIXED"),
    "bulletins": ("Berichten", "Bulletins"),
    "bulletins-count": (
        "Berichten: {valid} geldig, {over} voorbij",
        "Bulletins: {valid} in force, {over} over",
    ),
    "points": ("Punten", "Points"),
    "points-count": ("Punten: {heard} van {total} gehoord", "Points: {heard} of {total} heard"),
    "sorted-urgency": ("aandacht eerst", "trouble first"),
    "sorted-code": ("op code", "by code"),
    "log": ("Logboek", "Log"),
    "attention": ("Aandacht", "Attention"),
    "attention-none": ("Niets vraagt nu aandacht.", "Nothing needs attention now."),
    "attention-more": ("nog {count}: druk a", "{count} more: press a"),
    "attention-first": (
        "Nog geen berichten en geen punten gehoord. Druk n voor een nieuw bericht, F1 voor uitleg.",
        "No bulletins and no points heard yet. Press n for a new bulletin, F1 for help.",
    ),
    "column-ref": ("Nr", "No"),
    "column-event": ("Soort", "Kind"),
    "column-area": ("Gebied", "Area"),
    "column-severity": ("Ernst", "Severity"),
    "column-sent": ("Verzonden", "Sent"),
    "column-until": ("Tot", "Until"),
    "column-received": ("Ontv.", "Recvd"),
    "column-read": ("Gelezen", "Read"),
    "column-received-wide": ("Ontvangen", "Received"),
    "column-text": ("Tekst", "Text"),
    "column-code": ("Punt", "Point"),
    "column-name": ("Naam", "Name"),
    "column-state": ("Toestand", "State"),
    "column-people": ("Mens", "Ppl"),
    "column-power": ("Stroom", "Power"),
    "column-battery": ("Node", "Node"),
    "column-needs": ("Nodig", "Needs"),
    "column-missing": ("Mist", "Lack"),
    "column-heard": ("Gehoord", "Heard"),
    "column-said": ("Bericht van het punt", "Message from the point"),
    "empty-bulletins": (
        "Er is nog geen bericht.\n\nDruk n om er een te schrijven. U ziet vooraf hoe lang het zendt,\n"
        "en daarna welk punt het heeft ontvangen en gelezen.",
        "There is no bulletin yet.\n\nPress n to write one. You see beforehand how long it takes to send,\n"
        "and afterwards which point has received and read it.",
    ),
    "empty-bulletins-read-only": (
        "Er is nog geen bericht.\n\nDeze console kijkt alleen. Start met --key BESTAND om te kunnen zenden.",
        "There is no bulletin yet.\n\nThis console only looks. Start it with --key FILE to send.",
    ),
    "empty-log": (
        "Hier komt wat er gebeurt: berichten, ontvangst, toestand van punten.",
        "What happens appears here: bulletins, receipts, the state of points.",
    ),
    "all-areas": ("hele regio", "whole region"),
    "all-areas-short": ("regio", "region"),
    # --- connection
    "broker-connected": ("Verbonden met {broker}", "Connected to {broker}"),
    "broker-connecting": ("Verbinden met {broker}...", "Connecting to {broker}..."),
    "broker-down": ("GEEN VERBINDING met {broker}", "NO CONNECTION to {broker}"),
    "broker-none": ("ZONDER NETWERK (geen --broker)", "WITHOUT NETWORK (no --broker)"),
    "gateway-online": ("gateway {names} aan", "gateway {names} on"),
    "gateway-offline": ("GATEWAY {names} UIT", "GATEWAY {names} OFF"),
    "gateway-none": ("nog geen gateway gezien", "no gateway seen yet"),
    "contact": ("laatste nieuws van een punt {when}", "last news from a point {when}"),
    "contact-short": ("nieuws {when}", "news {when}"),
    "contact-none": ("nog geen punt gehoord", "no point heard yet"),
    "clock-stopped": ("X KLOK STAAT STIL", "X CLOCK STANDS STILL"),
    "key-read-only": ("alleen kijken", "read only"),
    "key-sends": ("zendt als {name}", "sends as {name}"),
    # --- state of bulletins
    "state-valid": ("geldig", "in force"),
    "state-expired": ("verlopen", "expired"),
    "state-withdrawn": ("ingetrokken", "withdrawn"),
    "state-superseded": ("vervangen", "replaced"),
    "state-incomplete": ("onvolledig", "incomplete"),
    "state-partly": ("deels vervangen", "partly replaced"),
    "by": ("door {refs}", "by {refs}"),
    "delivery-made": ("wacht op verbinding", "waits for connection"),
    "delivery-sent": ("bij de broker", "at the broker"),
    "parts-missing": (
        "deel {missing} van {parts} ontbreekt nog",
        "part {missing} of {parts} is still missing",
    ),
    # --- how points are heard
    "never": ("nooit", "never"),
    "liveness-fresh": ("gehoord", "heard"),
    "liveness-late": ("laat", "late"),
    "liveness-silent": ("STIL", "SILENT"),
    "liveness-never": ("nog nooit", "never"),
    "external": ("net", "mains"),
    # --- attention
    "attention-point-urgent": ("{code} {priority}: {text}", "{code} {priority}: {text}"),
    "attention-bulletin-waiting": (
        "{ref} {event} wacht op verbinding met de broker",
        "{ref} {event} waits for a connection to the broker",
    ),
    "attention-bulletin-incomplete": (
        "{ref} {event}: deel {missing} van {parts} ontbreekt",
        "{ref} {event}: part {missing} of {parts} is missing",
    ),
    "attention-bulletin-unreceived": (
        "{ref} {event} NIET ONTVANGEN in {count} van {meant}: {codes}",
        "{ref} {event} NOT RECEIVED at {count} of {meant}: {codes}",
    ),
    "attention-bulletin-unread": (
        "{ref} {event} niet gelezen in {count} van {meant}: {codes}",
        "{ref} {event} not read at {count} of {meant}: {codes}",
    ),
    "attention-bulletin-unreached": (
        "{ref} {event} NIET ONTVANGEN: {codes}; niet gelezen: {unread}",
        "{ref} {event} NOT RECEIVED: {codes}; not read: {unread}",
    ),
    "attention-points-power": ("Stroom bijna op: {codes}", "Power nearly gone: {codes}"),
    "attention-points-battery": ("Accu van node bijna leeg: {codes}", "Node battery nearly empty: {codes}"),
    "attention-points-silent": ("Al lang stil: {codes}", "Silent for long: {codes}"),
    "attention-points-full": ("Vol: {codes}", "Full: {codes}"),
    "attention-points-needs": ("Vraagt hulp: {codes}", "Asks for help: {codes}"),
    "attention-points-never": ("Nog nooit gehoord ({count}): {codes}", "Never heard ({count}): {codes}"),
    "attention-mixed": (
        "Echte berichten tijdens een oefening: {refs}. Trek in wat niet hoort.",
        "Actual bulletins during an exercise: {refs}. Withdraw what does not belong.",
    ),
    "attention-refused": (
        "{count} vervalste of vreemde berichten geweigerd (niet getoond, niet doorgegeven)",
        "{count} forged or foreign records refused (not shown, not passed on)",
    ),
    "attention-report": (
        "NOODMELDING {ref}, {age} oud: {text} (m)",
        "EMERGENCY REPORT {ref}, {age} old: {text} (m)",
    ),
    "attention-report-sealed": (
        "NOODMELDING {ref}, {age} oud: VERZEGELD, sleutel nodig (m)",
        "EMERGENCY REPORT {ref}, {age} old: SEALED, needs the key (m)",
    ),
    "attention-title": ("Alles wat aandacht vraagt", "Everything that needs attention"),
    # --- journal
    "entry-bulletin-Alert": ("{ref} {event} door {authority}", "{ref} {event} by {authority}"),
    "entry-bulletin-Update": (
        "{ref} {event} door {authority}, vervangt {references}",
        "{ref} {event} by {authority}, replaces {references}",
    ),
    "entry-bulletin-Cancel": (
        "{ref} {event} door {authority}, trekt {references} in",
        "{ref} {event} by {authority}, withdraws {references}",
    ),
    "entry-received": ("{ref} ontvangen: {codes}", "{ref} received: {codes}"),
    "entry-read": ("{ref} gelezen: {codes}", "{ref} read: {codes}"),
    "entry-status": ("{code} {state}{rest}", "{code} {state}{rest}"),
    "entry-sent": ("{ref} aangekomen bij de broker", "{ref} arrived at the broker"),
    "entry-broker-up": ("Verbinding met {broker}", "Connection to {broker}"),
    "entry-broker-down": ("Verbinding met {broker} weg", "Connection to {broker} lost"),
    "entry-gateway-on": ("Gateway {name} is aan", "Gateway {name} is on"),
    "entry-gateway-off": ("Gateway {name} is UIT", "Gateway {name} is OFF"),
    "entry-refused": (
        "Geweigerd: {count} record(s), oorzaak {cause}",
        "Refused: {count} record(s), cause {cause}",
    ),
    "entry-report": ("NOODMELDING {code}/{number} {priority}", "EMERGENCY REPORT {code}/{number} {priority}"),
    "entry-report-received": ("{code}/{number} ontvangst bevestigd", "{code}/{number} acknowledged"),
    "entry-report-answered": ("{code}/{number} beantwoord", "{code}/{number} answered"),
    "entry-answer": ("Bericht aan {code}", "Message to {code}"),
    "log-title": ("Logboek", "Log"),
    # --- detail screens
    "bulletin-title": ("Bericht {ref}", "Bulletin {ref}"),
    "point-title": ("Punt {code} {name}", "Point {code} {name}"),
    "label-authority": ("Afzender", "Sender"),
    "label-authority-verified": ("{name}, handtekening gecontroleerd", "{name}, signature verified"),
    "label-area": ("Gebied", "Area"),
    "label-sent": ("Verzonden", "Sent"),
    "label-until": ("Geldig tot", "Valid until"),
    "label-state": ("Toestand", "State"),
    "label-cap": ("CAP", "CAP"),
    "label-references": ("Noemt", "Refers to"),
    "label-scope": ("Voor", "For"),
    "label-delivery": ("Onderweg", "Delivery"),
    "label-received": ("Ontvangen", "Received"),
    "label-read": ("Gelezen", "Read"),
    "text-incomplete": (
        "De tekst is nog niet compleet: {problem}.",
        "The text is not complete yet: {problem}.",
    ),
    "receipt-none": ("nog niets", "nothing yet"),
    "receipt-received": ("ontvangen", "received"),
    "receipt-read": ("gelezen", "read"),
    "receipt-closed": ("punt dicht", "point closed"),
    "label-people": ("Aanwezig", "Present"),
    "people-value": (
        "{people} mensen, {volunteers} vrijwilligers",
        "{people} people, {volunteers} volunteers",
    ),
    "label-power": ("Noodstroom", "Power"),
    "power-value": ("nog {hours} uur", "{hours} hours left"),
    "label-water": ("Drinkwater", "Water"),
    "water-value": ("{litres} liter", "{litres} litres"),
    "label-battery": ("Accu node", "Node battery"),
    "battery-unknown": ("onbekend", "unknown"),
    "battery-external": ("aan het net", "on mains"),
    "label-needs": ("Nodig", "Needs"),
    "needs-none": ("niets", "nothing"),
    "label-heard": ("Laatst gehoord", "Last heard"),
    "heard-value": ("{when} ({age} geleden)", "{when} ({age} ago)"),
    "heard-now": ("{when} (zojuist)", "{when} (just now)"),
    "label-message": ("Bericht", "Message"),
    "label-municipality": ("Gemeente", "Municipality"),
    "label-kind": ("Soort", "Kind"),
    "label-priority": ("Spoed", "Priority"),
    "point-never": (
        "Dit punt is nog nooit gehoord. Staat de node aan? Is het punt open?",
        "This point has never been heard. Is its node on? Is the point open?",
    ),
    "point-bulletins": ("Berichten voor dit punt", "Bulletins for this point"),
    "point-no-bulletins": ("Er is geen bericht voor dit punt.", "There is no bulletin for this point."),
    # --- phrases of the book
    "phrase-title": ("Standaardzinnen", "Phrases"),
    "phrase-search": ("zoekwoorden, of het nummer", "words to search for, or the number"),
    "phrase-how": (
        "Typ om te zoeken, kies met pijltje omlaag en Enter. De woorden zijn nagekeken en zenden kort.",
        "Type to search, choose with arrow down and Enter. The words are vetted and short on the air.",
    ),
    "phrase-none": ("Geen standaardzin met deze woorden.", "No phrase has these words."),
    "phrase-write": (
        "Vul in: {wanted}   Enter neemt hem over, Esc niet.",
        "Write: {wanted}   Enter takes it, Esc does not.",
    ),
    "phrase-areas": ("GEBIED is {codes} of ALL", "AREA is {codes} or ALL"),
    "phrase-units": (
        "HOEVEELHEID is een getal met {units}, zonder spatie",
        "AMOUNT is a number with {units}, without a space",
    ),
    "phrase-column": ("Zo leest men het", "How it reads"),
    "phrase-A": ("GEBIED", "AREA"),
    "phrase-P": ("PUNT", "POINT"),
    "phrase-T": ("UU:MM", "HH:MM"),
    "phrase-D": ("JJJJ-MM-DD", "YYYY-MM-DD"),
    "phrase-N": ("GETAL", "NUMBER"),
    "phrase-Q": ("HOEVEELHEID", "AMOUNT"),
    "phrase-W": ("WOORD", "WORD"),
    # --- compose
    "compose-new": ("Nieuw bericht", "New bulletin"),
    "compose-update": ("Vervangt {ref}", "Replaces {ref}"),
    "compose-cancel": ("Trekt {ref} in", "Withdraws {ref}"),
    "field-status": ("Echt?", "Actual?"),
    "field-event": ("Soort", "Kind"),
    "field-severity": ("Ernst", "Severity"),
    "field-areas": ("Gebied", "Area"),
    "field-valid": ("Geldig", "Valid for"),
    "field-scope": ("Voor", "For"),
    "field-language": ("Taal", "Language"),
    "field-text": ("Tekst", "Text"),
    "field-urgency": ("Haast", "Urgency"),
    "field-certainty": ("Zekerheid", "Certainty"),
    "field-response": ("Doen", "Response"),
    "field-category": ("Onderwerp", "Category"),
    "field-more": ("CAP-woorden", "CAP words"),
    "choose-status": ("kies ECHT of OEFENING", "choose ACTUAL or EXERCISE"),
    "areas-hint": ("of {codes}", "or {codes}"),
    "areas-chosen": ("{count} punten, {names}", "{count} points, {names}"),
    "text-hint": (
        "Wat is er aan de hand? Wat moeten mensen doen? Tot wanneer?",
        "What is happening? What must people do? Until when?",
    ),
    "cost-line": (
        "{bytes} van {limit} bytes, {parts}, {airtime} s zenden",
        "{bytes} of {limit} bytes, {parts}, {airtime} s on air",
    ),
    "cost-part": ("1 deel", "1 part"),
    "cost-parts": ("{count} delen", "{count} parts"),
    "cost-region": (
        "schatting hele regio: {transmissions} uitzendingen, {seconds} s",
        "estimate for the region: {transmissions} transmissions, {seconds} s",
    ),
    "cost-points": ("voor {count} punten", "for {count} points"),
    "button-send": ("Versturen", "Send"),
    "button-cancel": ("Annuleren", "Cancel"),
    "send-blocked": ("Kan nog niet: {problem}", "Not yet: {problem}"),
    "read-only-refused": (
        "Deze console kan alleen kijken. Start met --key BESTAND om te zenden.",
        "This console can only look. Start it with --key FILE to send.",
    ),
    "foreign-refused": (
        "{ref} is van {authority}; alleen die kan het vervangen of intrekken.",
        "{ref} is by {authority}; only they can replace or withdraw it.",
    ),
    "no-bulletin-chosen": ("Kies eerst een bericht.", "Choose a bulletin first."),
    "discard-question": ("Concept weggooien?", "Discard the draft?"),
    # --- confirm
    "confirm-title": ("Versturen?", "Send?"),
    "confirm-alarm-title": ("ECHT VERSTUREN?", "REALLY SEND?"),
    "confirm-what": ("{event} voor {area}: {count} punten", "{event} for {area}: {count} points"),
    "confirm-until": ("Geldig tot {until}", "Valid until {until}"),
    "confirm-exercise": (
        "OEFENING: elk scherm toont dat dit niet echt is.",
        "EXERCISE: every screen says this is not real.",
    ),
    "confirm-actual": (
        "ECHT: dit verschijnt als echte waarschuwing op elk punt.",
        "ACTUAL: this appears as a real warning at every point.",
    ),
    "confirm-offline": (
        "Er is geen verbinding: het bericht blijft bewaard en gaat zodra die er is.",
        "There is no connection: the bulletin is kept and goes as soon as there is one.",
    ),
    "confirm-first": (
        "Deze computer heeft nog nooit met deze sleutel gezonden en ziet niet welke nummers gebruikt zijn. "
        "Verstuur alleen als dit het eerste bericht ooit is; anders kan het geweigerd worden.",
        "This computer has never sent with this key and cannot see which numbers are used. "
        "Send only if this is the very first bulletin; otherwise it may be refused.",
    ),
    "yes": ("Ja, versturen", "Yes, send"),
    "no": ("Nee, terug", "No, back"),
    "discard-yes": ("Weggooien", "Discard"),
    "sent-note": ("{ref} gemaakt: {parts}, {airtime} s zenden", "{ref} made: {parts}, {airtime} s on air"),
    # --- findings
    "areas-unknown": (
        "gebied {areas!r} bestaat niet; kies uit {known}",
        "there is no area {areas!r}; choose from {known}",
    ),
    "validity-unreadable": (
        "geldigheid {valid!r} is niet te lezen; schrijf 30m, 6u of 2d",
        "validity {valid!r} cannot be read; write 30m, 6h or 2d",
    ),
    "finding-error": ("FOUT", "ERROR"),
    "finding-warning": ("LET OP", "WARNING"),
    "finding-hint": ("tip", "tip"),
    "finding-text-empty": ("er is nog geen tekst", "there is no text yet"),
    "finding-status-unchosen": ("kies ECHT of OEFENING", "choose ACTUAL or EXERCISE"),
    "finding-text-long": (
        "tekst is {bytes} bytes, dat zijn {parts} delen; de grens is {limit} bytes in {max_parts} delen",
        "text is {bytes} bytes, that is {parts} parts; the limit is {limit} bytes in {max_parts} parts",
    ),
    "finding-validity": (
        "geldigheid is {minutes} minuten, toegestaan {low} tot {high}",
        "validity is {minutes} minutes, allowed {low} to {high}",
    ),
    "finding-areas": (
        "{count} gebieden, grens {limit}; laat leeg voor de hele regio",
        "{count} areas, limit {limit}; leave empty for the whole region",
    ),
    "finding-references": ("{count} verwijzingen, grens {limit}", "{count} references, limit {limit}"),
    "finding-word": ("{message}", "{message}"),
    "finding-sent-actual": (
        "een eigen verzendtijd mag alleen bij een oefening",
        "a sending time of your own is allowed in an exercise only",
    ),
    "finding-reference-missing": (
        "een vervanging of intrekking moet een bericht noemen, zoals 1/12",
        "an update or withdrawal must name a bulletin, such as 1/12",
    ),
    "finding-reference-foreign": (
        "{ref} is van een andere afzender; uw nummers beginnen met {origin}/",
        "{ref} is by another sender; your numbers begin with {origin}/",
    ),
    "finding-reference-future": (
        "{ref} bestaat nog niet; het hoogste nummer is {highest}",
        "{ref} does not exist yet; the highest number is {highest}",
    ),
    "finding-reference-unknown": ("{ref} is hier niet (meer) bekend", "{ref} is not known here (any more)"),
    "finding-reference-status": (
        "{ref} is {there_word}, dit bericht is {here_word}: dat mag niet door elkaar",
        "{ref} is {there_word}, this bulletin is {here_word}: they must not be mixed",
    ),
    "finding-reference-rest": (
        "{ref} blijft gelden buiten dit gebied {rest}",
        "{ref} stays in force outside this area {rest}",
    ),
    "finding-reference-over": ("{ref} is al verlopen", "{ref} has expired already"),
    "finding-other-status": (
        "dit bericht is {here_word}, maar alle geldige berichten zijn {there_word}",
        "this bulletin is {here_word}, but all bulletins in force are {there_word}",
    ),
    "finding-private-name": (
        '"{text}" lijkt een naam. Iedereen leest dit: gebruik een kaartnummer (OV07-12).',
        '"{text}" looks like a name. Everybody reads this: use a card number (OV07-12).',
    ),
    "finding-private-address": (
        '"{text}" lijkt een adres. Iedereen leest dit: gebruik een kaartnummer.',
        '"{text}" looks like an address. Everybody reads this: use a card number.',
    ),
    "finding-private-phone": (
        '"{text}" lijkt een telefoonnummer van een persoon.',
        '"{text}" looks like a person\'s phone number.',
    ),
    "finding-private-birth-date": (
        '"{text}" lijkt een geboortedatum.',
        '"{text}" looks like a date of birth.',
    ),
    "finding-private-citizen-number": (
        '"{text}" lijkt een burgerservicenummer.',
        '"{text}" looks like a citizen service number.',
    ),
    "finding-private-email": ('"{text}" is een e-mailadres.', '"{text}" is an e-mail address.'),
    "finding-private-account": (
        '"{text}" lijkt een rekeningnummer.',
        '"{text}" looks like an account number.',
    ),
    "finding-sentence-long": (
        'zin "{start}..." heeft {words} woorden; tot {limit} leest makkelijk',
        'sentence "{start}..." has {words} words; up to {limit} reads easily',
    ),
    "finding-clock-form": ('schrijf "{text}" als {better}', 'write "{text}" as {better}'),
    "finding-next-bulletin": (
        "zeg wanneer het volgende bericht komt",
        "say when the next bulletin comes",
    ),
    # --- text messages
    "chat-title": ("Teksten", "Texts"),
    "chat-with": ("Met", "With"),
    "chat-pane": ("{title} - niet gecontroleerd", "{title} - not verified"),
    "chat-empty": (
        "Nog geen teksten. Typ hieronder en druk Enter. Aan een punt of node: @OV06 of @!12345678.",
        "No texts yet. Type below and press Enter. To a point or node: @OV06 or @!12345678.",
    ),
    "chat-hint": ("Tekst, Enter verstuurt", "Text, Enter sends"),
    "chat-alert": ("LET OP", "ALERT"),
    "chat-waiting": ("wacht op gateway", "waits for a gateway"),
    "chat-waiting-radio": ("wacht op de radio", "waits for the radio"),
    "chat-late": ("niet verzonden: ouder dan een uur", "not sent: older than an hour"),
    "chat-taken": ("gateway verzendt", "gateway sends"),
    "chat-taken-radio": ("radio verzendt", "radio sends"),
    "chat-sent": ("verzonden", "sent"),
    "chat-relayed": ("verzonden en doorgegeven", "sent and passed on"),
    "chat-delivered": ("ontvangen door {by}", "received by {by}"),
    "chat-failed": ("MISLUKT: {reason}", "FAILED: {reason}"),
    "chat-refused": ("GEWEIGERD: {reason}", "REFUSED: {reason}"),
    "chat-bytes": ("{size} van {limit} bytes", "{size} of {limit} bytes"),
    "chat-long": ("te lang, maak de tekst korter", "too long, shorten the text"),
    "chat-again": ("Enter: toch versturen", "Enter: send it anyway"),
    "chat-open": ("iedereen op het kanaal leest mee", "everybody on the channel can read it"),
    "chat-direct": ("alleen voor deze node", "for this node only"),
    "chat-address": ("Enter opent het gesprek", "Enter opens the conversation"),
    "chat-nobody": (
        "{name} is geen punt of node; schrijf @OV06, @!12345678 of @kanaal",
        "{name} is no point or node; write @OV06, @!12345678 or @channel",
    ),
    "texts-unread": ("{count} nieuwe tekst(en): t", "{count} new text(s): t"),
    # --- emergency reports
    "reports-title": ("Noodmeldingen: {waiting} wachten", "Emergency reports: {waiting} waiting"),
    "reports-none": (
        "Er is nog geen noodmelding.\n\nEen punt maakt er een met de knop van zijn node, of met een laptop.",
        "There is no emergency report yet.\n\nA point makes one with its node's button, or with a laptop.",
    ),
    "reports-answer": ("Antwoord aan {ref}", "Answer to {ref}"),
    "reports-hint": ("Antwoord, Enter verstuurt", "Answer, Enter sends"),
    "reports-no-key": (
        "Zonder sleutel van de crisisruimte: alleen kijken.",
        "Without the crisis room's key: look only.",
    ),
    "reports-sealed": ("VERZEGELD voor {authority}", "SEALED for {authority}"),
    "reports-bytes": ("{size} van {limit} bytes, verzegeld", "{size} of {limit} bytes, sealed"),
    "reports-sent": ("{ref}: antwoord gemaakt", "{ref}: answer made"),
    "reports-acknowledged": ("{ref}: ontvangst bevestigd", "{ref}: acknowledged"),
    "report-waits": ("WACHT {age}", "WAITS {age}"),
    "report-received": ("ontvangen", "received"),
    "report-answered": ("beantwoord", "answered"),
    "report-said": ("gemeld {when}", "reported {when}"),
    "report-received-at": ("ontvangst bevestigd {when}", "acknowledged {when}"),
    "report-answered-at": ("antwoord {when}: {text}", "answer {when}: {text}"),
    # --- keys
    "key-reports": ("Nood", "Reports"),
    "key-acknowledge": ("Bevestig ontvangst", "Acknowledge"),
    "key-texts": ("Teksten", "Texts"),
    "key-address": ("Aan wie", "To whom"),
    "key-new": ("Nieuw", "New"),
    "key-update": ("Vervang", "Replace"),
    "key-cancel": ("Trek in", "Withdraw"),
    "key-detail": ("Open", "Open"),
    "key-sort": ("Volgorde", "Order"),
    "key-language": ("English", "Nederlands"),
    "key-help": ("Uitleg", "Help"),
    "key-leave": ("Stop", "Quit"),
    "key-back": ("Terug", "Back"),
    "key-send": ("Versturen", "Send"),
    "key-phrase": ("Standaardzin", "Phrase"),
    "key-attention": ("Aandacht", "Attention"),
    "key-log": ("Logboek", "Log"),
    "key-palette": ("Alles", "All"),
    # --- command palette
    "command-new": ("Nieuw bericht schrijven", "Write a new bulletin"),
    "command-new-help": (
        "Kies soort, gebied en tekst; u ziet wat het kost",
        "Choose kind, area, text; see what it costs",
    ),
    "command-update": ("Gekozen bericht vervangen", "Replace the chosen bulletin"),
    "command-update-help": (
        "Het oude verdwijnt van elk scherm in het gebied",
        "The old one leaves every screen in the area",
    ),
    "command-cancel": ("Gekozen bericht intrekken", "Withdraw the chosen bulletin"),
    "command-cancel-help": (
        "De punten tonen dat het niet meer geldt",
        "The points show that it is no longer in force",
    ),
    "command-attention": ("Alles wat aandacht vraagt", "Everything that needs attention"),
    "command-attention-help": ("De hele lijst, het dringendste eerst", "The whole list, most urgent first"),
    "command-log": ("Logboek op heel scherm", "Log on the whole screen"),
    "command-log-help": ("Alles wat er gebeurd is, nieuwste eerst", "All that happened, newest first"),
    "command-reports": ("Noodmeldingen", "Emergency reports"),
    "command-reports-help": (
        "Lezen, ontvangst bevestigen, antwoorden",
        "Read, acknowledge, answer",
    ),
    "command-texts": ("Teksten met vrijwilligers", "Texts with volunteers"),
    "command-texts-help": (
        "Lezen en schrijven over het mesh; niet gecontroleerd",
        "Read and write over the mesh; not verified",
    ),
    "command-sort": ("Punten anders ordenen", "Order the points differently"),
    "command-sort-help": ("Aandacht eerst, of op code", "Trouble first, or by code"),
    "command-language": ("Switch to English", "Schakel naar Nederlands"),
    "command-language-help": ("The whole interface", "De hele bediening"),
    "command-mono": ("Kleur aan of uit", "Colour on or off"),
    "command-mono-help": ("Alles is ook zonder kleur te lezen", "Everything can be read without colour"),
    "command-screenshot": ("Schermafdruk bewaren (SVG)", "Save a picture of the screen (SVG)"),
    "command-screenshot-help": ("In de gegevensmap", "In the data folder"),
    "command-help": ("Uitleg", "Help"),
    "command-help-help": (
        "Wat alles betekent en welke toets wat doet",
        "What everything means and what each key does",
    ),
    "command-quit": ("Stoppen", "Quit"),
    "command-quit-help": ("Wat gemaakt is blijft bewaard", "What has been made is kept"),
    "palette-hint": ("Zoek een opdracht...", "Search for a command..."),
    "screenshot-saved": ("Bewaard als {path}", "Saved as {path}"),
    # --- problems
    "problem": ("Er ging iets mis: {message}", "Something went wrong: {message}"),
    "help-title": ("Uitleg", "Help"),
}


class Words:
    """The sentences of one language."""

    def __init__(self, language: str = "nl") -> None:
        if language not in LANGUAGES:
            raise ValueError(f"language is {language!r}, allowed: {', '.join(LANGUAGES)}")
        self.language = language
        self._index = LANGUAGES.index(language)

    def __call__(self, key: str, **values: Any) -> str:
        sentence = SENTENCES[key][self._index]
        return sentence.format(**values) if values else sentence

    def word(self, table: str, code: str) -> str:
        """Name of a code word; the code itself where the vocabulary has none."""
        entry = TABLES[table].get(code)
        return entry[self._index] if entry else code

    def key_name(self, action: str) -> str | None:
        """Footer text of an action, None for one without."""
        key = f"key-{action.partition('(')[0].rpartition('.')[2].replace('_', '-')}"
        return self(key) if key in SENTENCES else None

    def parts(self, count: int) -> str:
        return self("cost-part") if count == 1 else self("cost-parts", count=count)

    def duration(self, seconds: int) -> str:
        """6u, 6h"""
        text = duration_text(seconds)
        return text if self.language == "nl" else text.replace("u", "h")

    def seconds(self, milliseconds: int) -> str:
        """0,6 (Dutch) or 0.6; whole seconds from ten up."""
        text = f"{milliseconds / 1000:.1f}" if milliseconds < 10000 else f"{milliseconds / 1000:.0f}"
        return text.replace(".", ",") if self.language == "nl" else text

    def finding(self, finding: Any) -> str:
        """The sentence of a draft.Finding, without its level."""
        details = dict(finding.details)
        for name in ("there", "here"):
            if name in details:
                details[f"{name}_word"] = self.word("status", details[name])
        if finding.kind == "reference-rest":
            details["rest"] = f"({details['rest']})" if details["rest"] else ""
        return self(f"finding-{finding.kind}", **details).strip()

    def attention(self, attention: Any, width: int = 0) -> str:
        """The sentence of a model.Attention; long lists of points are cut so that about `width` characters
        remain.
        """
        details: dict[str, Any] = dict(attention.details)
        if "event" in details:
            details["event"] = self.word("event", details["event"])
        if "priority" in details:
            details["priority"] = self.word("priority", details["priority"])
        if "age_s" in details:
            details["age"] = self.duration(details["age_s"] // 60 * 60) if details["age_s"] >= 60 else "<1m"
        if "codes" in details:
            details["count"] = len(details["codes"])
            blank = {**details, "codes": "", "unread": ""}
            room = max(width - len(self(f"attention-{attention.kind}", **blank)), 14) if width else 0
            if details.get("unread") and attention.kind == "bulletin-unreached":
                room //= 2
                details["unread"] = listing(details["unread"], room)
            separator = ", " if any(" " in code for code in details["codes"]) else " "
            details["codes"] = listing(details["codes"], room, separator)
        return self(f"attention-{attention.kind}", **details)

    def entry(self, kind: str, details: Mapping[str, Any], authority: str = "", width: int = 0) -> str:
        """The sentence of a journal line."""
        values = dict(details)
        if "event" in values:
            values["event"] = self.word("event", values["event"])
        if kind == "bulletin":
            values["references"] = ", ".join(details.get("references", ()))
            values["authority"] = authority
            return self(f"entry-bulletin-{details.get('msg_type', 'Alert')}", **values)
        if kind in ("received", "read"):
            codes = details.get("codes") or [details.get("code", "?")]
            label = f" ({len(codes)})" if len(codes) > 3 else ""
            room = max(width - 22 - len(label), 12) if width else 0
            values["codes"] = listing(codes, room) + label
        if kind == "status":
            values["state"] = self.word("state", details["state"])
            rest = ""
            if details["priority"] in ("F", "I"):
                rest += f" {self.word('priority', details['priority'])}"
            if details["needs"]:
                rest += f" [{' '.join(details['needs'])}]"
            values["rest"] = rest + (f": {details['text']}" if details["text"] else "")
        return self(f"entry-{kind}", **values)


def listing(items: Iterable[str], room: int = 0, separator: str = " ") -> str:
    """Items with `separator` between; beyond `room` characters: as many as fit, and how many more."""
    items = list(items)
    joined = separator.join(items)
    if not room or len(joined) <= room:
        return joined
    shown: list[str] = []
    for item in items:
        more = f" +{len(items) - len(shown)}"
        if len(separator.join([*shown, item])) + len(more) > room:
            break
        shown.append(item)
    return f"{separator.join(shown)} +{len(items) - len(shown)}".strip()
