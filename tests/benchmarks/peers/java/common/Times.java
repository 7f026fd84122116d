package peers;

import java.time.OffsetDateTime;

/** RFC 3339 texts from and to milliseconds since 1970. */
final class Times {
    static final long NEVER = Long.MAX_VALUE;
    private static final long DAY_MS = 86_400_000L;

    private Times() {}

    static long read(String text) {
        if (text.length() != 24 || text.charAt(23) != 'Z') {
            return OffsetDateTime.parse(text).toInstant().toEpochMilli();
        }
        long days = days(digits(text, 0, 4), digits(text, 5, 7), digits(text, 8, 10));
        long seconds = digits(text, 11, 13) * 3600L + digits(text, 14, 16) * 60L + digits(text, 17, 19);
        return days * DAY_MS + seconds * 1000 + digits(text, 20, 23);
    }

    static String write(long ms) {
        OffsetDateTime at = OffsetDateTime.ofInstant(java.time.Instant.ofEpochMilli(ms), java.time.ZoneOffset.UTC);
        return String.format(
                "%04d-%02d-%02dT%02d:%02d:%02d.%03dZ",
                at.getYear(), at.getMonthValue(), at.getDayOfMonth(), at.getHour(), at.getMinute(), at.getSecond(),
                Math.floorMod(ms, 1000L));
    }

    private static int digits(String text, int from, int to) {
        int found = 0;
        for (int n = from; n < to; n++) {
            found = found * 10 + text.charAt(n) - '0';
        }
        return found;
    }

    /** Days since 1970 of a date of the Gregorian calendar; the year begins in March. */
    private static long days(int year, int month, int day) {
        long y = month <= 2 ? year - 1 : year;
        int m = month <= 2 ? month + 9 : month - 3;
        return 365 * y + y / 4 - y / 100 + y / 400 + (153 * m + 2) / 5 + day - 1 - 719_468;
    }
}
