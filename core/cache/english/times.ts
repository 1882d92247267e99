// Names of times: days, months, seasons, parts of the day, and words that count from now.

const groups: Readonly<Record<string, string>> = {
  monday: 'monday mondays mon',
  tuesday: 'tuesday tuesdays tue tues',
  wednesday: 'wednesday wednesdays',
  thursday: 'thursday thursdays thu thur thurs',
  friday: 'friday fridays fri',
  saturday: 'saturday saturdays',
  sunday: 'sunday sundays',
  january: 'january jan',
  february: 'february feb',
  march: 'march',
  april: 'april apr',
  may: '#may',
  june: 'june jun',
  july: 'july jul',
  august: 'august aug',
  september: 'september sep sept',
  october: 'october oct',
  november: 'november nov',
  december: 'december dec',
  spring: '#spring springtime',
  summer: 'summer summers summertime',
  autumn: 'autumn autumns #fall',
  winter: 'winter winters wintertime',
  today: 'today',
  tomorrow: 'tomorrow',
  yesterday: 'yesterday',
  tonight: 'tonight',
  now: 'now currently nowadays',
  dayaftertomorrow: '#dayaftertomorrow',
  daybeforeyesterday: '#daybeforeyesterday',
  morning: 'morning mornings am',
  afternoon: 'afternoon afternoons pm',
  evening: 'evening evenings',
  night: 'night nights overnight',
  weekend: 'weekend weekends',
  weekday: 'weekday weekdays',
  ago: 'ago',
  daily: 'daily',
  weekly: 'weekly',
  monthly: 'monthly',
  yearly: 'yearly annually annual',
  hourly: 'hourly',
  christmas: 'christmas',
  easter: 'easter',
  bc: 'bc bce',
};

export const times: ReadonlyMap<string, string> = new Map(
  Object.entries(groups).flatMap(([time, spellings]) => spellings.split(' ').map(spelling => [spelling, time] as const)),
);

/** Periods that this, last and next choose one of. */
export const periods: ReadonlySet<string> = new Set(
  'second minute hour day week weekend month quarter year decade century spring summer autumn winter season semester term time'.split(
    ' ',
  ),
);
