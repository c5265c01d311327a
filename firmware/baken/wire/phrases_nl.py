"""The phrasebook in Dutch; what the numbers mean is in `phrases`."""

PHRASES = (
    # 0: ALARM
    "GEVAAR in {0}: rook. Ga naar binnen. Sluit ramen en deuren.",
    "GEVAAR in {0}: gaslek. Maak geen vuur, gebruik geen schakelaars. Ga weg van het lek.",
    "GEVAAR in {0}: het water stijgt. Ga naar een hoge plek of een hogere verdieping.",
    "GEVAAR koolmonoxide: gebruik barbecue, gasbrander en aggregaat nooit binnen. Hoofdpijn of "
    "duizelig? Ga naar buiten en haal hulp.",
    "GEVAAR in {0}: grote brand. Blijf weg. Houd de weg vrij voor de hulpdiensten.",
    "GEVAAR in {0}: gevaarlijke stof in de lucht. Ga naar binnen. Sluit ramen en deuren. Zet de "
    "ventilatie uit.",
    "GEVAAR in {0}: blijf binnen en doe de deur op slot. Wacht op bericht.",
    "Het gevaar in {0} is voorbij. U mag weer naar buiten.",
    "Dit is een test. U hoeft niets te doen.",
    # 9: OVERZICHT, UPDATE, HERSTEL
    "Geen stroom in {0}. De oorzaak is nog niet bekend.",
    "Geen stroom in {0}. Het herstel duurt ongeveer {1}.",
    "Volgend bericht om {0}.",
    "In {0} komt de stroom waarschijnlijk terug op {1} om {2}. De tijd kan veranderen.",
    "{0} heeft weer stroom. Zet apparaten één voor één aan.",
    "Gebruik weinig stroom, anders valt het net weer uit.",
    "Zet kookplaat, oven, strijkijzer en elektrische kachel uit.",
    "De telefoon werkt niet in {0}. Ga bij nood naar een noodsteunpunt.",
    "De telefoon werkt weer in {0}. U kunt 112 bellen.",
    "Blijf thuis als dat kan. Luister naar de radio. Help uw buren.",
    "Treinen en bussen rijden niet. Ga alleen de weg op als het nodig is.",
    "De scholen zijn dicht op {0}.",
    "Winkels zijn open van {0} tot {1}. Betaal met contant geld.",
    "Er is nog geen nieuws over het herstel.",
    # 23: OPENING, SLUITING
    "Noodsteunpunt {0} is open.",
    "Noodsteunpunt {0} is open van {1} tot {2}.",
    "Noodsteunpunt {0} is dicht.",
    "Noodsteunpunt {0} is dicht. Ga naar {1}.",
    "Noodsteunpunt {0} sluit om {1}.",
    "Noodsteunpunt {0} is vol. Ga naar {1}.",
    "Alle noodsteunpunten in {0} zijn open vanaf {1}.",
    "Alle noodsteunpunten sluiten op {0} om {1}. Dank aan alle vrijwilligers.",
    "Warme ruimte bij {0}. Neem een deken mee.",
    "Bij {0} is plaats om te slapen, plaatsen: {1}.",
    "Tolk bij {0} vanaf {1}.",
    "Bij een noodsteunpunt krijgt u informatie en hulp in nood. Er is geen eten en drinken.",
    # 35: WATER
    "Het kraanwater in {0} is veilig. U kunt het drinken.",
    "{0}: kook kraanwater {1} voor u het drinkt. Ook voor tandenpoetsen en babyvoeding.",
    "U hoeft het water in {0} niet meer te koken. Laat de kraan eerst lopen.",
    "Er is geen kraanwater in {0}.",
    "Drinkwater bij {0} vanaf {1}. Neem schone flessen mee.",
    "U krijgt {0} water per persoon per dag.",
    "Vul nu flessen en emmers. De waterdruk kan wegvallen.",
    "Spoel het toilet in {0} niet door. Het riool is vol.",
    # 43: MEDISCH
    "112 werkt niet. Is iemand in levensgevaar? Ga naar een noodsteunpunt of brandweerkazerne.",
    "Medicijnen bij {0} van {1} tot {2}. Neem het doosje of het recept mee.",
    "Er is een arts bij {0} vanaf {1}.",
    "Insuline en andere koude medicijnen kunt u koelen bij {0}.",
    "Gebruikt u zuurstof of een medisch apparaat? Meld u bij {0}.",
    "Het ziekenhuis is alleen open voor spoed.",
    # 49: GERUCHT
    "NIET WAAR: het kraanwater in {0} is niet vergiftigd. U kunt het drinken.",
    "NIET WAAR: {0} wordt niet ontruimd. U hoeft niet te vertrekken.",
    "NIET WAAR: de gemeente vraagt niet om geld. Geef niemand geld of uw pinpas.",
    "Geloof alleen berichten met het teken GECONTROLEERD.",
    # 53: WEER
    "Vannacht wordt het {0}. Het is glad. Blijf warm en let op oudere buren.",
    "Storm met wind tot {0}. Blijf binnen.",
    "Hitte tot {0}. Drink water en blijf uit de zon.",
    # 56: EVACUATIE
    "EVACUATIE: verlaat {0} voor {1}. Neem medicijnen, papieren en warme kleren mee.",
    "De bus voor de evacuatie vertrekt bij {0} om {1}.",
    "Er is opvang bij {0}.",
    "Bewoners van {0} hoeven niet te vertrekken.",
    "U mag terug naar {0}.",
    "Kunt u niet zelf weg? Hang een witte doek voor het raam.",
    # 62: VERWANTEN, INTREKKING, EINDE, INTERN
    "Zoekt u familie? Vul een kaart in bij een noodsteunpunt. Namen gaan niet over de radio.",
    "INGETROKKEN: het vorige bericht geldt niet meer.",
    "Stroom en telefoon werken weer in {0}.",
    "Voor noodsteunpunten: meld voor {0} uw voorraad brandstof, water en dekens.",
    "Brandstof komt bij {0} om {1}.",
    "Meer informatie: {0}.",
)
MONTHS = (
    "januari",
    "februari",
    "maart",
    "april",
    "mei",
    "juni",
    "juli",
    "augustus",
    "september",
    "oktober",
    "november",
    "december",
)
# One and more of a unit, in the order of phrases.UNITS.
UNITS = (
    ("liter", "liter"),
    ("minuut", "minuten"),
    ("uur", "uur"),
    ("dag", "dagen"),
    ("km", "km"),
    ("m", "m"),
    ("graden", "graden"),
    ("km per uur", "km per uur"),
    ("%", "%"),
    ("euro", "euro"),
)
WHOLE_REGION = "heel {0}"
UNKNOWN = "Bericht nr {0} (nieuwer woordenboek)."
