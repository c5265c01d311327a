"""What the code words of bulletins and statuses are called in Dutch and English.

The words themselves stay CAP 1.2 and the project's codes (`baken.wire.cap`, `baken.wire.status`); a word
without an entry here is shown as it is, so a newer core never leaves a hole on the screen.
"""

from __future__ import annotations

# word: (Dutch, English)
EVENTS = {
    "BERICHT": ("BERICHT", "NOTICE"),
    "ALARM": ("ALARM", "ALARM"),
    "UPDATE": ("UPDATE", "UPDATE"),
    "OVERZICHT": ("OVERZICHT", "OVERVIEW"),
    "OPENING": ("OPENING", "OPENING"),
    "SLUITING": ("SLUITING", "CLOSING"),
    "LIJST": ("LIJST", "LIST"),
    "WATER": ("WATER", "WATER"),
    "MEDISCH": ("MEDISCH", "MEDICAL"),
    "GERUCHT": ("GERUCHT", "RUMOUR"),
    "WEER": ("WEER", "WEATHER"),
    "EVACUATIE": ("EVACUATIE", "EVACUATION"),
    "HERSTEL": ("HERSTEL", "REPAIR"),
    "TELEFOON": ("TELEFOON", "PHONES"),
    "EINDE": ("EINDE", "END"),
    "VERWANTEN": ("VERWANTEN", "FAMILY"),
    "INTERN": ("INTERN", "STAFF"),
    "INTREKKING": ("INTREKKING", "WITHDRAWAL"),
}

SEVERITIES = {
    "Extreme": ("zeer ernstig", "extreme"),
    "Severe": ("ernstig", "severe"),
    "Moderate": ("matig", "moderate"),
    "Minor": ("licht", "minor"),
    "Unknown": ("onbekend", "unknown"),
}

URGENCIES = {
    "Immediate": ("nu handelen", "immediate"),
    "Expected": ("binnenkort", "expected"),
    "Future": ("later", "future"),
    "Past": ("voorbij", "past"),
    "Unknown": ("onbekend", "unknown"),
}

CERTAINTIES = {
    "Observed": ("vastgesteld", "observed"),
    "Likely": ("waarschijnlijk", "likely"),
    "Possible": ("mogelijk", "possible"),
    "Unlikely": ("onwaarschijnlijk", "unlikely"),
    "Unknown": ("onbekend", "unknown"),
}

RESPONSES = {
    "Shelter": ("schuilen", "shelter"),
    "Evacuate": ("vertrekken", "evacuate"),
    "Prepare": ("voorbereiden", "prepare"),
    "Execute": ("uitvoeren", "execute"),
    "Avoid": ("wegblijven", "avoid"),
    "Monitor": ("volgen", "monitor"),
    "Assess": ("beoordelen", "assess"),
    "AllClear": ("gevaar voorbij", "all clear"),
    "None": ("niets doen", "none"),
}

CATEGORIES = {
    "Geo": ("aarde", "geological"),
    "Met": ("weer", "weather"),
    "Safety": ("veiligheid", "safety"),
    "Security": ("beveiliging", "security"),
    "Rescue": ("redding", "rescue"),
    "Fire": ("brand", "fire"),
    "Health": ("gezondheid", "health"),
    "Env": ("milieu", "environment"),
    "Transport": ("vervoer", "transport"),
    "Infra": ("nutsvoorzieningen", "infrastructure"),
    "CBRNE": ("gevaarlijke stoffen", "hazardous materials"),
    "Other": ("anders", "other"),
}

MSG_TYPES = {
    "Alert": ("nieuw", "new"),
    "Update": ("vervangt", "replaces"),
    "Cancel": ("trekt in", "withdraws"),
}

SCOPES = {
    "Public": ("voor iedereen", "public"),
    "Restricted": ("alleen personeel", "staff only"),
    "Private": ("vertrouwelijk", "private"),
}

CAP_STATUSES = {
    "Actual": ("ECHT", "ACTUAL"),
    "Exercise": ("OEFENING", "EXERCISE"),
    "System": ("SYSTEEM", "SYSTEM"),
    "Test": ("TEST", "TEST"),
    "Draft": ("CONCEPT", "DRAFT"),
}

POINT_STATES = {
    "OPEN": ("OPEN", "OPEN"),
    "BEPERKT": ("BEPERKT", "LIMITED"),
    "VOL": ("VOL", "FULL"),
    "DICHT": ("DICHT", "CLOSED"),
    "ONBEKEND": ("ONBEKEND", "UNKNOWN"),
}

PRIORITIES = {
    "R": ("gewoon", "routine"),
    "P": ("voorrang", "priority"),
    "I": ("DRINGEND", "URGENT"),
    "F": ("LEVENSGEVAAR", "LIFE AT RISK"),
}

NEEDS = {
    "MED": ("medische hulp", "medical help"),
    "BRW": ("brandweer", "fire service"),
    "POL": ("politie", "police"),
    "WAT": ("drinkwater", "drinking water"),
    "DSL": ("diesel", "diesel"),
    "PER": ("extra mensen", "more staff"),
    "DEK": ("dekens", "blankets"),
    "MDC": ("medicijnen", "medicines"),
    "TOL": ("tolk", "interpreter"),
    "TOI": ("toiletten", "toilets"),
    "VRV": ("vervoer", "transport"),
    "ZUU": ("zuurstof", "oxygen"),
}

LANGUAGES = {
    "nl": ("Nederlands", "Dutch"),
    "en": ("Engels", "English"),
    "ar": ("Arabisch", "Arabic"),
    "tr": ("Turks", "Turkish"),
    "pl": ("Pools", "Polish"),
    "uk": ("Oekraïens", "Ukrainian"),
    "de": ("Duits", "German"),
    "fr": ("Frans", "French"),
    "es": ("Spaans", "Spanish"),
    "fa": ("Perzisch", "Persian"),
    "so": ("Somalisch", "Somali"),
    "ti": ("Tigrinya", "Tigrinya"),
    "zh": ("Chinees", "Chinese"),
    "fy": ("Fries", "Frisian"),
}

TABLES = {
    "event": EVENTS,
    "severity": SEVERITIES,
    "urgency": URGENCIES,
    "certainty": CERTAINTIES,
    "response_type": RESPONSES,
    "category": CATEGORIES,
    "msg_type": MSG_TYPES,
    "scope": SCOPES,
    "status": CAP_STATUSES,
    "state": POINT_STATES,
    "priority": PRIORITIES,
    "need": NEEDS,
    "language": LANGUAGES,
}
