"""The phrasebook in Turkish; what the numbers mean is in `phrases`."""

PHRASES = (
    # 0: ALARM
    "TEHLİKE, {0}: duman. İçeri girin. Pencere ve kapıları kapatın.",
    "TEHLİKE, {0}: gaz kaçağı. Ateş yakmayın, elektrik düğmelerine dokunmayın. Kaçaktan uzaklaşın.",
    "TEHLİKE, {0}: su yükseliyor. Yüksek bir yere veya üst kata çıkın.",
    "TEHLİKE karbonmonoksit: mangal, gaz ocağı ve jeneratörü asla içeride kullanmayın. Baş "
    "ağrısı veya baş dönmesi mi var? Dışarı çıkın ve yardım isteyin.",
    "TEHLİKE, {0}: büyük yangın. Uzak durun. Yolu acil yardım ekipleri için açık tutun.",
    "TEHLİKE, {0}: havada tehlikeli madde var. İçeri girin. Pencere ve kapıları kapatın. "
    "Havalandırmayı kapatın.",
    "TEHLİKE, {0}: içeride kalın ve kapıyı kilitleyin. Haber bekleyin.",
    "{0}: tehlike geçti. Tekrar dışarı çıkabilirsiniz.",
    "Bu bir testtir. Bir şey yapmanız gerekmiyor.",
    # 9: OVERZICHT, UPDATE, HERSTEL
    "{0}: elektrik yok. Nedeni henüz bilinmiyor.",
    "{0}: elektrik yok. Onarım süresi yaklaşık: {1}.",
    "Sonraki mesaj saati: {0}.",
    "{0}: elektrik muhtemelen {1} saat {2} gelecek. Saat değişebilir.",
    "{0}: elektrik geldi. Cihazları tek tek açın.",
    "Az elektrik kullanın, yoksa şebeke tekrar kesilir.",
    "Ocağı, fırını, ütüyü ve elektrikli ısıtıcıyı kapatın.",
    "{0}: telefon çalışmıyor. Acil durumda destek noktasına (noodsteunpunt) gidin.",
    "{0}: telefon yeniden çalışıyor. 112'yi arayabilirsiniz.",
    "Mümkünse evde kalın. Radyo dinleyin. Komşularınıza yardım edin.",
    "Tren ve otobüsler çalışmıyor. Gerekmedikçe yola çıkmayın.",
    "Okullar {0} günü kapalı.",
    "Dükkanlar açık: {0}-{1}. Nakit ödeyin.",
    "Onarımla ilgili henüz haber yok.",
    # 23: OPENING, SLUITING
    "Destek noktası {0} açık.",
    "Destek noktası {0} açık: {1}-{2}.",
    "Destek noktası {0} kapalı.",
    "Destek noktası {0} kapalı. Şuraya gidin: {1}.",
    "Destek noktası {0} kapanış saati: {1}.",
    "Destek noktası {0} dolu. Şuraya gidin: {1}.",
    "{0}: bütün destek noktaları saat {1} itibarıyla açık.",
    "Bütün destek noktaları {0} saat {1} kapanıyor. Tüm gönüllülere teşekkürler.",
    "Sıcak salon: {0}. Battaniye getirin.",
    "{0}, yatacak yer sayısı: {1}.",
    "{0}: tercüman, saat {1} itibarıyla.",
    "Destek noktasında bilgi ve acil yardım alırsınız. Yiyecek ve içecek yoktur.",
    # 35: WATER
    "{0}: musluk suyu güvenli. İçebilirsiniz.",
    "{0}: musluk suyunu içmeden önce {1} kaynatın. Diş fırçalamak ve bebek maması için de.",
    "{0}: suyu artık kaynatmanız gerekmiyor. Önce musluğu akıtın.",
    "{0}: musluklardan su akmıyor.",
    "İçme suyu: {0}, saat {1} itibarıyla. Temiz şişe getirin.",
    "Kişi başına günde {0} su verilir.",
    "Şişe ve kovaları şimdi doldurun. Su basıncı düşebilir.",
    "{0}: sifonu çekmeyin. Kanalizasyon dolu.",
    # 43: MEDISCH
    "112 çalışmıyor. Birinin hayatı tehlikede mi? Destek noktasına (noodsteunpunt) veya itfaiyeye gidin.",
    "İlaç: {0}, {1}-{2}. İlaç kutusunu veya reçeteyi getirin.",
    "Doktor: {0}, saat {1} itibarıyla.",
    "İnsülin ve diğer soğuk ilaçlar şurada soğutulur: {0}.",
    "Oksijen veya tıbbi cihaz mı kullanıyorsunuz? Şuraya başvurun: {0}.",
    "Hastane yalnızca acil durumlara açık.",
    # 49: GERUCHT
    "DOĞRU DEĞİL: {0}, musluk suyu zehirli değil. İçebilirsiniz.",
    "DOĞRU DEĞİL: {0} tahliye edilmiyor. Ayrılmanız gerekmiyor.",
    "DOĞRU DEĞİL: belediye para istemiyor. Kimseye para veya banka kartı vermeyin.",
    "Yalnızca GECONTROLEERD işaretli mesajlara inanın.",
    # 53: WEER
    "Bu gece hava {0}. Yollar buzlu. Sıcak kalın, yaşlı komşularınıza bakın.",
    "Fırtına, rüzgar en çok {0}. İçeride kalın.",
    "Sıcaklık en çok {0}. Su için, güneşten uzak durun.",
    # 56: EVACUATIE
    "TAHLİYE: {0} bölgesinden saat {1} öncesinde ayrılın. İlaç, belge ve kalın giysi alın.",
    "Tahliye otobüsü kalkışı: {0}, saat {1}.",
    "Barınma yeri: {0}.",
    "{0}: sakinlerin ayrılması gerekmiyor.",
    "{0}: geri dönebilirsiniz.",
    "Kendiniz ayrılamıyor musunuz? Pencereye beyaz bir bez asın.",
    # 62: VERWANTEN, INTREKKING, EINDE, INTERN
    "Ailenizi mi arıyorsunuz? Destek noktasında bir kart doldurun. İsimler telsizle gönderilmez.",
    "GERİ ÇEKİLDİ: önceki mesaj artık geçerli değil.",
    "{0}: elektrik ve telefon yeniden çalışıyor.",
    "Destek noktaları: saat {0} öncesinde yakıt, su ve battaniye stokunu bildirin.",
    "Yakıt varışı: {0}, saat {1}.",
    "Daha fazla bilgi: {0}.",
)
MONTHS = (
    "Ocak",
    "Şubat",
    "Mart",
    "Nisan",
    "Mayıs",
    "Haziran",
    "Temmuz",
    "Ağustos",
    "Eylül",
    "Ekim",
    "Kasım",
    "Aralık",
)
# One and more of a unit, in the order of phrases.UNITS.
UNITS = (
    ("litre", "litre"),
    ("dakika", "dakika"),
    ("saat", "saat"),
    ("gün", "gün"),
    ("km", "km"),
    ("m", "m"),
    ("derece", "derece"),
    ("km/saat", "km/saat"),
    ("%", "%"),
    ("avro", "avro"),
)
WHOLE_REGION = "{0} bölgesi"
UNKNOWN = "Mesaj no {0} (daha yeni sözlük)."
