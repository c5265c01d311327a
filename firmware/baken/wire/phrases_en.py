"""The phrasebook in English; what the numbers mean is in `phrases`."""

PHRASES = (
    # 0: ALARM
    "DANGER in {0}: smoke. Go inside. Close windows and doors.",
    "DANGER in {0}: gas leak. No fire, do not touch switches. Move away from the leak.",
    "DANGER in {0}: the water is rising. Go to high ground or a higher floor.",
    "DANGER carbon monoxide: never use a barbecue, gas burner or generator indoors. Headache or "
    "dizzy? Go outside and get help.",
    "DANGER in {0}: large fire. Stay away. Keep the road free for emergency services.",
    "DANGER in {0}: hazardous substance in the air. Go inside. Close windows and doors. Turn off "
    "ventilation.",
    "DANGER in {0}: stay inside and lock the door. Wait for news.",
    "The danger in {0} is over. You may go outside again.",
    "This is a test. You do not need to do anything.",
    # 9: OVERZICHT, UPDATE, HERSTEL
    "No power in {0}. The cause is not yet known.",
    "No power in {0}. Repair takes about {1}.",
    "Next message at {0}.",
    "Power in {0} will probably return on {1} at {2}. The time may change.",
    "{0} has power again. Switch on appliances one by one.",
    "Use little power, or the grid will fail again.",
    "Turn off the cooker, oven, iron and electric heater.",
    "Phones do not work in {0}. In an emergency go to an emergency support point (noodsteunpunt).",
    "Phones work again in {0}. You can call 112.",
    "Stay at home if you can. Listen to the radio. Help your neighbours.",
    "No trains or buses. Only travel if you must.",
    "Schools are closed on {0}.",
    "Shops are open from {0} to {1}. Pay in cash.",
    "There is no news about the repair yet.",
    # 23: OPENING, SLUITING
    "Support point {0} is open.",
    "Support point {0} is open from {1} to {2}.",
    "Support point {0} is closed.",
    "Support point {0} is closed. Go to {1}.",
    "Support point {0} closes at {1}.",
    "Support point {0} is full. Go to {1}.",
    "All support points in {0} are open from {1}.",
    "All support points close on {0} at {1}. Thanks to all volunteers.",
    "Warm room at {0}. Bring a blanket.",
    "Places to sleep at {0}: {1}.",
    "Interpreter at {0} from {1}.",
    "A support point gives information and help in an emergency. There is no food or drink.",
    # 35: WATER
    "Tap water in {0} is safe. You can drink it.",
    "{0}: boil tap water for {1} before drinking. Also for brushing teeth and baby food.",
    "You no longer need to boil water in {0}. Let the tap run first.",
    "There is no tap water in {0}.",
    "Drinking water at {0} from {1}. Bring clean bottles.",
    "You get {0} of water per person per day.",
    "Fill bottles and buckets now. The water pressure may fail.",
    "Do not flush the toilet in {0}. The sewer is full.",
    # 43: MEDISCH
    "112 does not work. Is someone's life in danger? Go to a support point (noodsteunpunt) or fire station.",
    "Medicines at {0} from {1} to {2}. Bring the box or the prescription.",
    "There is a doctor at {0} from {1}.",
    "You can keep insulin and other cold medicines cool at {0}.",
    "Do you use oxygen or a medical device? Report to {0}.",
    "The hospital is open for emergencies only.",
    # 49: GERUCHT
    "NOT TRUE: tap water in {0} is not poisoned. You can drink it.",
    "NOT TRUE: {0} is not being evacuated. You do not have to leave.",
    "NOT TRUE: the municipality does not ask for money. Give nobody money or your bank card.",
    "Only believe messages with the mark GECONTROLEERD.",
    # 53: WEER
    "Tonight it will be {0}. Roads are icy. Stay warm and check on older neighbours.",
    "Storm with wind up to {0}. Stay inside.",
    "Heat up to {0}. Drink water and stay out of the sun.",
    # 56: EVACUATIE
    "EVACUATION: leave {0} before {1}. Take medicines, papers and warm clothes.",
    "The evacuation bus leaves from {0} at {1}.",
    "There is shelter at {0}.",
    "Residents of {0} do not have to leave.",
    "You may return to {0}.",
    "Cannot leave by yourself? Hang a white cloth in the window.",
    # 62: VERWANTEN, INTREKKING, EINDE, INTERN
    "Looking for family? Fill in a card at a support point. Names are not sent by radio.",
    "WITHDRAWN: the previous message is no longer valid.",
    "Power and phones work again in {0}.",
    "For support points: report your fuel, water and blankets before {0}.",
    "Fuel arrives at {0} at {1}.",
    "More information: {0}.",
)
MONTHS = (
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
)
# One and more of a unit, in the order of phrases.UNITS.
UNITS = (
    ("litre", "litres"),
    ("minute", "minutes"),
    ("hour", "hours"),
    ("day", "days"),
    ("km", "km"),
    ("m", "m"),
    ("degrees", "degrees"),
    ("km per hour", "km per hour"),
    ("%", "%"),
    ("euros", "euros"),
)
WHOLE_REGION = "all of {0}"
UNKNOWN = "Phrase {0} (newer phrasebook)."
