"""The phrasebook in Polish; what the numbers mean is in `phrases`."""

PHRASES = (
    # 0: ALARM
    "NIEBEZPIECZEŃSTWO, {0}: dym. Wejdź do budynku. Zamknij okna i drzwi.",
    "NIEBEZPIECZEŃSTWO, {0}: wyciek gazu. Nie używaj ognia ani włączników. Oddal się od wycieku.",
    "NIEBEZPIECZEŃSTWO, {0}: woda się podnosi. Idź na wyżej położone miejsce lub wyższe piętro.",
    "NIEBEZPIECZEŃSTWO tlenek węgla: nigdy nie używaj grilla, palnika gazowego ani agregatu w "
    "domu. Ból lub zawroty głowy? Wyjdź na zewnątrz i wezwij pomoc.",
    "NIEBEZPIECZEŃSTWO, {0}: duży pożar. Trzymaj się z daleka. Zostaw wolną drogę dla służb ratunkowych.",
    "NIEBEZPIECZEŃSTWO, {0}: niebezpieczna substancja w powietrzu. Wejdź do budynku. Zamknij "
    "okna i drzwi. Wyłącz wentylację.",
    "NIEBEZPIECZEŃSTWO, {0}: zostań w domu i zamknij drzwi na klucz. Czekaj na wiadomość.",
    "{0}: niebezpieczeństwo minęło. Można znów wychodzić.",
    "To jest test. Nie trzeba nic robić.",
    # 9: OVERZICHT, UPDATE, HERSTEL
    "{0}: brak prądu. Przyczyna nie jest jeszcze znana.",
    "{0}: brak prądu. Czas naprawy, około: {1}.",
    "Następna wiadomość o {0}.",
    "{0}: prąd wróci prawdopodobnie {1} o {2}. Godzina może się zmienić.",
    "{0}: prąd wrócił. Włączaj urządzenia po kolei.",
    "Zużywaj mało prądu, inaczej sieć znów się wyłączy.",
    "Wyłącz kuchenkę, piekarnik, żelazko i grzejnik elektryczny.",
    "{0}: telefony nie działają. W nagłym wypadku idź do punktu pomocy (noodsteunpunt).",
    "{0}: telefony znów działają. Można dzwonić pod 112.",
    "Jeśli możesz, zostań w domu. Słuchaj radia. Pomagaj sąsiadom.",
    "Pociągi i autobusy nie kursują. Wyjeżdżaj tylko w razie potrzeby.",
    "Szkoły są zamknięte {0}.",
    "Sklepy otwarte od {0} do {1}. Płać gotówką.",
    "Nie ma jeszcze wiadomości o naprawie.",
    # 23: OPENING, SLUITING
    "Punkt pomocy {0} jest otwarty.",
    "Punkt pomocy {0} otwarty od {1} do {2}.",
    "Punkt pomocy {0} jest zamknięty.",
    "Punkt pomocy {0} jest zamknięty. Idź do: {1}.",
    "Punkt pomocy {0} zamyka się o {1}.",
    "Punkt pomocy {0} jest pełny. Idź do: {1}.",
    "{0}: wszystkie punkty pomocy otwarte od {1}.",
    "Wszystkie punkty pomocy zamykają się {0} o {1}. Dziękujemy wolontariuszom.",
    "Ciepłe pomieszczenie: {0}. Weź koc.",
    "{0}, liczba miejsc do spania: {1}.",
    "Tłumacz: {0}, od {1}.",
    "W punkcie pomocy otrzymasz informacje i pomoc w nagłych wypadkach. Nie ma jedzenia ani picia.",
    # 35: WATER
    "{0}: woda z kranu jest bezpieczna. Można ją pić.",
    "{0}: przed piciem gotuj wodę z kranu przez {1}. Także do mycia zębów i dla niemowląt.",
    "{0}: nie trzeba już gotować wody. Najpierw spuść wodę z kranu.",
    "{0}: nie ma wody w kranach.",
    "Woda pitna: {0}, od {1}. Weź czyste butelki.",
    "Otrzymasz {0} wody na osobę dziennie.",
    "Napełnij teraz butelki i wiadra. Ciśnienie wody może spaść.",
    "{0}: nie spuszczaj wody w toalecie. Kanalizacja jest pełna.",
    # 43: MEDISCH
    "112 nie działa. Czyjeś życie jest zagrożone? Idź do punktu pomocy (noodsteunpunt) lub straży pożarnej.",
    "Leki: {0}, od {1} do {2}. Weź opakowanie lub receptę.",
    "Lekarz: {0}, od {1}.",
    "Insulinę i inne leki wymagające chłodu można przechować: {0}.",
    "Używasz tlenu lub urządzenia medycznego? Zgłoś się: {0}.",
    "Szpital przyjmuje tylko nagłe przypadki.",
    # 49: GERUCHT
    "NIEPRAWDA: {0}, woda z kranu nie jest zatruta. Można ją pić.",
    "NIEPRAWDA: {0} nie jest ewakuowane. Nie trzeba wyjeżdżać.",
    "NIEPRAWDA: gmina nie prosi o pieniądze. Nikomu nie dawaj pieniędzy ani karty bankowej.",
    "Ufaj tylko wiadomościom ze znakiem GECONTROLEERD.",
    # 53: WEER
    "W nocy będzie {0}. Jest ślisko. Nie marznij i zajrzyj do starszych sąsiadów.",
    "Burza, wiatr do {0}. Zostań w domu.",
    "Upał do {0}. Pij wodę i unikaj słońca.",
    # 56: EVACUATIE
    "EWAKUACJA: {0}, wyjedź przed {1}. Weź leki, dokumenty i ciepłe ubrania.",
    "Autobus ewakuacyjny odjeżdża: {0}, o {1}.",
    "Schronienie: {0}.",
    "{0}: mieszkańcy nie muszą wyjeżdżać.",
    "{0}: można wracać.",
    "Nie możesz wyjść bez pomocy? Wywieś w oknie białą tkaninę.",
    # 62: VERWANTEN, INTREKKING, EINDE, INTERN
    "Szukasz rodziny? Wypełnij kartę w punkcie pomocy. Nazwiska nie są podawane przez radio.",
    "WYCOFANO: poprzednia wiadomość jest nieaktualna.",
    "{0}: prąd i telefony znów działają.",
    "Punkty pomocy: zgłoście przed {0} zapas paliwa, wody i koców.",
    "Dostawa paliwa: {0}, o {1}.",
    "Więcej informacji: {0}.",
)
MONTHS = (
    "stycznia",
    "lutego",
    "marca",
    "kwietnia",
    "maja",
    "czerwca",
    "lipca",
    "sierpnia",
    "września",
    "października",
    "listopada",
    "grudnia",
)
# One and more of a unit, in the order of phrases.UNITS.
UNITS = (
    ("l", "l"),
    ("min", "min"),
    ("godz.", "godz."),
    ("dzień", "dni"),
    ("km", "km"),
    ("m", "m"),
    ("°C", "°C"),
    ("km/h", "km/h"),
    ("%", "%"),
    ("euro", "euro"),
)
WHOLE_REGION = "cały region {0}"
UNKNOWN = "Komunikat nr {0} (nowszy słownik)."
