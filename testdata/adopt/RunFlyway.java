import java.lang.reflect.Method;
import java.util.Map;
import org.flywaydb.core.Flyway;

/** Runs a Flyway of any age: RunFlyway URL USER FOLDER SCHEMA VERB... */
public class RunFlyway {
    public static void main(String[] args) throws Exception {
        Object flyway;
        Map<String, String> placeholders = Map.of("greeting", "hello");
        try {
            Object c = Flyway.class.getMethod("configure").invoke(null);
            call(c, "dataSource", args[0], args[1], "");
            call(c, "locations", (Object) new String[] {"filesystem:" + args[2]});
            if (!args[3].isEmpty()) call(c, "schemas", (Object) new String[] {args[3]});
            call(c, "placeholders", placeholders);
            call(c, "baselineVersion", "1");
            call(c, "baselineDescription", "as it was");
            flyway = call(c, "load");
        } catch (NoSuchMethodException old) {
            flyway = Flyway.class.getConstructor().newInstance();
            call(flyway, "setDataSource", args[0], args[1], "", new String[0]);
            call(flyway, "setLocations", (Object) new String[] {"filesystem:" + args[2]});
            if (!args[3].isEmpty()) call(flyway, "setSchemas", (Object) new String[] {args[3]});
            call(flyway, "setPlaceholders", placeholders);
            call(flyway, "setBaselineVersionAsString", "1");
            call(flyway, "setBaselineDescription", "as it was");
        }
        for (int i = 4; i < args.length; i++) call(flyway, args[i]);
    }

    static Object call(Object on, String name, Object... args) throws Exception {
        for (Method m : on.getClass().getMethods()) {
            if (!m.getName().equals(name) || m.getParameterCount() != args.length) continue;
            boolean fits = true;
            for (int i = 0; i < args.length; i++) fits &= m.getParameterTypes()[i].isInstance(args[i]);
            if (fits) { m.setAccessible(true); return m.invoke(on, args); }
        }
        throw new NoSuchMethodException(name);
    }
}
