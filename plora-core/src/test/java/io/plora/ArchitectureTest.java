package io.plora;

import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.noClasses;
import static com.tngtech.archunit.library.GeneralCodingRules.ACCESS_STANDARD_STREAMS;
import static com.tngtech.archunit.library.GeneralCodingRules.NO_CLASSES_SHOULD_USE_JAVA_UTIL_LOGGING;
import static com.tngtech.archunit.library.dependencies.SlicesRuleDefinition.slices;

import com.tngtech.archunit.core.importer.ImportOption;
import com.tngtech.archunit.junit.AnalyzeClasses;
import com.tngtech.archunit.junit.ArchTest;
import com.tngtech.archunit.lang.ArchRule;
import io.plora.report.ProgressListener;

@AnalyzeClasses(packages = "io.plora", importOptions = ImportOption.DoNotIncludeTests.class)
class ArchitectureTest {
    private static final String[] ND4J = {"org.nd4j..", "org.deeplearning4j..", "org.bytedeco.."};

    @ArchTest
    static final ArchRule PLANNING_NEEDS_NO_ND4J = noClasses()
            .that()
            .resideInAnyPackage("io.plora.space..", "io.plora.cost..", "io.plora.plan..")
            .should()
            .dependOnClassesThat()
            .resideInAnyPackage(ND4J)
            .because("planners are tested in milliseconds");

    @ArchTest
    static final ArchRule KERNELS_KNOW_NOTHING_OF_SWEEPS = noClasses()
            .that()
            .resideInAPackage("io.plora.kernels..")
            .should()
            .dependOnClassesThat()
            .resideInAnyPackage(
                    "io.plora",
                    "io.plora.space..",
                    "io.plora.cost..",
                    "io.plora.plan..",
                    "io.plora.model..",
                    "io.plora.data..",
                    "io.plora.train..",
                    "io.plora.execute..",
                    "io.plora.adapter..",
                    "io.plora.report..");

    @ArchTest
    static final ArchRule PLANNING_KNOWS_NOTHING_OF_TRAINING = noClasses()
            .that()
            .resideInAnyPackage("io.plora.space..", "io.plora.cost..", "io.plora.plan..")
            .should()
            .dependOnClassesThat()
            .resideInAnyPackage(
                    "io.plora",
                    "io.plora.data..",
                    "io.plora.train..",
                    "io.plora.execute..",
                    "io.plora.adapter..",
                    "io.plora.report..")
            .because("a policy decides on the state alone, in a simulator as in a sweep");

    @ArchTest
    static final ArchRule TRAINING_KNOWS_NOTHING_OF_PLANNING = noClasses()
            .that()
            .resideInAnyPackage("io.plora.model..", "io.plora.data..", "io.plora.train..", "io.plora.adapter..")
            .should()
            .dependOnClassesThat()
            .resideInAnyPackage("io.plora", "io.plora.plan..", "io.plora.execute..", "io.plora.report..")
            .because("a group trains whoever joins, whatever decided it");

    @ArchTest
    static final ArchRule NO_CYCLES =
            slices().matching("io.plora.(*)..").should().beFreeOfCycles();

    @ArchTest
    static final ArchRule NO_STANDARD_STREAMS = noClasses()
            .that()
            .doNotBelongToAnyOf(ProgressListener.class) // its bar is what the user asks to see
            .should(ACCESS_STANDARD_STREAMS);

    @ArchTest
    static final ArchRule NO_JAVA_UTIL_LOGGING = NO_CLASSES_SHOULD_USE_JAVA_UTIL_LOGGING;
}
